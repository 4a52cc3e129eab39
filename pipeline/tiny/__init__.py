"""The tiny GPT-OSS that stands in for the 20B on a CPU: what it is taught, how, and from which weights on."""
