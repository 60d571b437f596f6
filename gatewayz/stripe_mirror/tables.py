"""One operation that makes many tables which name each other."""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from typing_extensions import override


class CreateTables(SeparateDatabaseAndState):
    """The operations describe the tables; the models are put together once, at the end, and not after each of them."""

    def __init__(self, operations: list[Operation]) -> None:
        super().__init__(state_operations=operations)

    @override
    def deconstruct(self) -> Any:
        return type(self).__name__, [self.state_operations], {}

    @override
    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        for model in to_state.apps.get_app_config(app_label).get_models():
            schema_editor.create_model(model)

    @override
    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        for model in from_state.apps.get_app_config(app_label).get_models():
            schema_editor.delete_model(model)

    @override
    def describe(self) -> str:
        return f"Create {len(self.state_operations)} tables"
