"""What several files of this folder look at."""

from pathlib import Path

import pytest
import report_files


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished report; not to be changed."""
    folder = tmp_path_factory.mktemp("report")
    report_files.finished(folder)
    return folder
