"""The parts of docs/ that are made from the code: settings, imports, and the picture of both.

    python -m pipeline.docs          # or `make docs`; a test says when they have to be made again

`settings.py` reads the fields of `pipeline/config.py` with their comments, `imports.py` who imports whom,
`drawing.py` draws that, `healthy.py` reads the reference runs, `cheating.py` tries attacks on the reward.
"""

MARKS = ("<!-- made by `make docs`: begin -->", "<!-- made by `make docs`: end -->")  # of a page's made part
