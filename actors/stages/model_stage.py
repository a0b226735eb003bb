"""The base of stages that hold models: weights come to the node once, then every process loads them."""

from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.resolved_run import ResolvedRun
from synfiqa.actors.players import Players
from synfiqa.cluster.pipeline.node_libraries import require_libraries
from synfiqa.cluster.pipeline.stage import Stage


class ModelStage(Stage):
    """A stage that plays some models of a resolved run."""

    _plays: tuple[Model, ...] = ()

    def __init__(self, run: ResolvedRun) -> None:
        self._players = Players(run.models)
        self._libraries = run.libraries

    def _play(self, *models: Model) -> None:
        """Declare the models that `setup` loads."""
        self._plays = models
        self.models = tuple(model.name for model in models)

    def setup_on_node(self) -> None:
        """Compare the libraries of this node with the recipe; fetch, make and verify the weights in its cache."""
        require_libraries(self._libraries)
        for model in self._plays:
            locate(model)

    def setup(self) -> None:
        """Load the models; stages of one process share them."""
        for model in self._plays:
            self._players.of(model)
