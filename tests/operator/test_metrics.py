"""Resources by phase."""

from martlet_operator.metrics import RESOURCES, PhaseCount


def value(phase: str) -> float:
    return RESOURCES.labels(kind="Test", phase=phase)._value.get()


def test_each_resource_counts_in_one_phase() -> None:
    count = PhaseCount()
    for name in ("a", "b"):
        count.set("Test", "ns", name, "Training")
    count.set("Test", "ns", "a", "Training")
    assert value("Training") == 2
    count.set("Test", "ns", "a", "Succeeded")
    assert (value("Training"), value("Succeeded")) == (1, 1)
    count.set("Test", "ns", "a", None)
    count.set("Test", "ns", "b", None)
    count.set("Test", "ns", "never-seen", None)
    assert (value("Training"), value("Succeeded")) == (0, 0)
