"""The trials of faults in their quick setting, in a process of their own, with keys planted around them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_secrets import MARK, PLANTED, written

from reliability.faults import endpoint
from reliability.faults.damage import FAULTS
from reliability.runner import carry_out, finished
from reliability.trial import Setting

ROOT = Path(__file__).parents[2]

# Both share one process: torch is imported and the undisturbed pass is made once.
_BOTH = """
import json, sys
from pathlib import Path
from reliability.faults import damage, kill
from reliability.runner import carry_out
from reliability.trial import Setting
setting = Setting(quick=True, folder=Path(sys.argv[1]))
print(json.dumps([carry_out(one.TRIAL, setting) for one in (kill, damage)]))
"""


@pytest.mark.torch
@pytest.mark.slow
def test_killed_and_damaged_runs_come_to_the_same_end_and_hold_no_key(tmp_path):
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-c", _BOTH, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | PLANTED | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    killed, damaged = json.loads(done.stdout.splitlines()[-1])
    for result in (killed, damaged):
        assert finished(result) and not result["failed"], result.get("failures", result)
    counts = killed["counts"]
    assert counts["kills"] >= 1 and counts["kills"] + counts.get("moments that came after the end", 0) == 2
    assert len(damaged["rows"]) == 2
    run = written(tmp_path / "undisturbed")
    assert len(run) > 1_000_000 and MARK not in run + (done.stdout + done.stderr).encode()


@pytest.mark.slow
def test_a_lost_endpoint_loses_nothing(tmp_path):
    result = carry_out(endpoint.TRIAL, Setting(quick=True, folder=tmp_path))
    assert finished(result) and not result["failed"], result["failures"]
    assert result["counts"]["broke off and were played again"] >= len(endpoint.TROUBLES)


def test_each_fault_says_what_it_is():
    assert len({(fault.what, fault.stage) for fault in FAULTS}) == len(FAULTS) >= 20
