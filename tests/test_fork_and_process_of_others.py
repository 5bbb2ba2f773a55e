"""The same of the other half of the methods: forks of the warm process come to the bits of processes."""

from protocols.methods import METHODS

from tests.test_fork_and_process import of_both_ways  # noqa: F401 - a fixture


def test_forks_of_other_methods_come_to_the_bits_of_processes(of_both_ways):  # noqa: F811 - it is given here
    half = list(METHODS)[1::2]
    found = of_both_ways(half)
    assert len(found["process"]) == len(half)
    assert found["fork"] == found["process"]
