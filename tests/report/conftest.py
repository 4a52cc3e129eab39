"""One run for all tests of its report, and the scripted agent of tests/pipeline within reach."""

import sys
from pathlib import Path

import pytest

from envs.retail.database import Shop

sys.path.append(str(Path(__file__).parents[1] / "pipeline"))


@pytest.fixture(scope="session")
def shop() -> Shop:
    return Shop.load()


@pytest.fixture(scope="session")
def run(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three stages with two trials of each task, and a training log; its report is written already."""
    from sample_run import write_run

    from pipeline.report_page import write_report

    folder = tmp_path_factory.mktemp("runs") / "demo"
    write_run(folder, shop, count=24, trials=2)
    write_report(folder, shop)
    return folder
