"""Everything that one process holds."""

from dataclasses import dataclass, field

from tests.fakes.stripe.deliveries import Deliveries
from tests.fakes.stripe.errors import Json
from tests.fakes.stripe.faults import Faults
from tests.fakes.stripe.idempotency import KeptAnswers
from tests.fakes.stripe.world import World


@dataclass(slots=True)
class Fake:
    world: World = field(default_factory=World)
    kept: KeptAnswers = field(default_factory=KeptAnswers)
    faults: Faults = field(default_factory=Faults)
    deliveries: Deliveries = field(default_factory=Deliveries)
    requests: list[Json] = field(default_factory=list)

    def reset(self) -> None:
        self.world.reset()
        self.kept.clear()
        self.faults.clear()
        self.deliveries.clear()
        self.requests.clear()
