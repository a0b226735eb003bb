"""What the systems are compared on: stages that sleep, on one or more raylets that may change meanwhile."""

from dataclasses import dataclass

ROWS, PAYLOAD = 64, 5_000
"""Images a unit, and bytes of each."""
NODE_CPUS = 4
"""CPUs that a raylet offers; stages sleep, so it need not have them."""
STAGES = ("maker", "passer", "writer")
"""The three stages, in order: one makes the images, one passes them on, one stores them as Parquet."""


@dataclass(frozen=True)
class Scenario:
    """Stub work of `units` units; `seconds` are those that each stage takes for one, in the order of STAGES.

    From unit `slow_from` on the middle stage takes `slow_seconds`. Each stage has `workers` workers of one CPU, or as
    many as the system chooses (0). The cluster begins with `nodes` raylets; `joins` more start once a unit is stored.
    """

    name: str
    title: str
    units: int
    seconds: tuple[float, float, float]
    nodes: int = 2
    joins: int = 0
    workers: int = 0
    slow_from: int | None = None
    slow_seconds: float = 0.0

    def sleep(self, stage: str, number: int) -> float:
        """Return the seconds that a stage takes for a unit."""
        if stage == "passer" and self.slow_from is not None and number >= self.slow_from:
            return self.slow_seconds
        return self.seconds[STAGES.index(stage)]

    def ideal(self) -> float:
        """Return the seconds that the work takes when every CPU there is from the beginning is busy all the time."""
        work = sum(self.sleep(stage, number) for stage in STAGES for number in range(self.units))
        return work / (self.nodes * NODE_CPUS)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("even", "one worker a stage", 60, (0.06, 0.3, 0.06), nodes=1, workers=1),
        Scenario("nothing", "one worker a stage that computes almost nothing", 120, (0.0, 0.0, 0.0), 1, workers=1),
        Scenario("uneven", "two raylets, stages 1 : 8 : 1", 240, (0.1, 0.8, 0.1)),
        Scenario(
            "slows", "two raylets, 1 : 2 : 1, later 1 : 8 : 1", 240, (0.1, 0.2, 0.1), slow_from=80, slow_seconds=0.8
        ),
        Scenario("joins", "one raylet, a second one joins, 1 : 8 : 1", 240, (0.1, 0.8, 0.1), nodes=1, joins=1),
    )
}
