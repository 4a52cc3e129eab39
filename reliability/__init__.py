"""Does it break? Named trials with hostile input and faults, and the page of what they found.

python -m reliability --quick            # every trial, small
make reliability                         # every trial in full; writes docs/reliability.md
"""
