"""The project's shop, tasks and rewards in verl: what it needs to train a model on many GPUs, and nothing twice.

    python -m scaleout.verl export --out data_verl            # tasks as parquet, tools and agent loops as YAML
    python -m scaleout.verl check scaleout/verl/recipes/gpt_oss_20b_grpo.yaml     # settings that would fail silently
    python -m scaleout.verl lengths                           # how long prompts, episodes and answers really are
    python -m scaleout.verl results DUMPS --episodes DIR --out episodes.jsonl      # a run's episodes, scored anew

| file | for |
| --- | --- |
| export.py, rows.py, lengths.py | before a run, without verl |
| check.py, rules.py, rules_training.py, settings.py | before a run; more with verl |
| tools.py, tool_parser.py, agent_loop.py | plugins: verl imports them |
| reward.py, account.py | imported by verl, import nothing of it |
| results.py | after a run, without verl |
"""  # noqa: E501 (a table)
