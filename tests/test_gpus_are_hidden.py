"""The suite runs on the CPU: its figures and tolerances are the CPU's."""

import os
import subprocess
import sys

import torch


def test_neither_tests_nor_the_processes_that_they_start_see_a_gpu():
    assert not torch.cuda.is_available()
    said = subprocess.run([sys.executable, "-c", "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"], stdout=-1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "" and said.stdout == b"\n"
