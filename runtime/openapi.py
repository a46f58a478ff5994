"""What an OpenAPI document says of bodies, which the routes read themselves, and of problems."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from runtime.problems import MEDIA_TYPE, ProblemDetails


def problems_of(meanings: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that operations answer with, by status."""
    return {
        status: {
            "description": meaning,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for status, meaning in meanings.items()
    }


def describe_bodies(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> None:
    """Have the application's document carry the schemas of the bodies that are read, and of problems."""
    generate = app.openapi

    def described() -> dict[str, Any]:
        document = generate()
        document.setdefault("components", {}).setdefault("schemas", {}).update(_schemas(bodies))
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way


def _schemas(bodies: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """Write the bodies as they are read: defaults may be left out, unknown fields are refused."""
    models: tuple[type[BaseModel], ...] = (*bodies, ProblemDetails)
    _, written = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = written["$defs"]
    for name, schema in schemas.items():
        if schema.get("type") == "object" and name not in ("ProblemDetails", "WrongField"):
            schema["additionalProperties"] = False
    return schemas
