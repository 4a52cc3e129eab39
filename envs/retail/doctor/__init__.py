"""What the dataset doctor looks for in a task, and what it can repair; `envs.retail.validate` runs it."""
