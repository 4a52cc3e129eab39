"""Grade-school arithmetic, the second domain: GSM8K's problems and answers, and the shop's calculator.

    problems = read_problems("gsm8k/train.jsonl")          # or: generate(seed=1, split="train")
    score("48 / 2 = 24\n#### 24", problems[0].solution)    # 1.0 or 0.0
    call("calculate", {"expression": "48 / 2"})            # "24.0"

Standard library only (pyarrow inside the reader of parquet files), so that any engine can import it.
"""
