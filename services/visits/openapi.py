"""What the OpenAPI document says of bodies, which the routes read themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from runtime.openapi import problems_of
from services.visits.answers import Acceptance, Decided, Reasoned, ReportText
from services.visits.consultation_answers import BodyAnswer, Consulted
from services.visits.request import VisitRequest

BODIES: tuple[type[BaseModel], ...] = (
    VisitRequest,
    Decided,
    Reasoned,
    Acceptance,
    ReportText,
    Consulted,
    BodyAnswer,
)

_MEANINGS = {
    400: "The body is not JSON in UTF-8.",
    401: "The API key is missing, wrong or revoked.",
    403: "The client's role does not allow this.",
    404: "There is no such visit among those the client may see.",
    409: "Not possible in the visit's state, or submitted before.",
    412: "The visit was changed since the version of If-Match.",
    413: "The body is too large.",
    415: "The body is not of a media type that is read here.",
    422: "Fields are wrong; each is named.",
    503: "The service cannot store anything, or has no catalogue, at the moment.",
}
PROBLEMS = problems_of(_MEANINGS)

_HEADERS = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "A repetition of the same request with the same key has no second effect.",
    },
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "The ETag of the version that was read; another one is answered with 412.",
    },
]


def takes(
    body: type[BaseModel], media_type: str = "application/json", *, partial: bool = False
) -> dict[str, Any]:
    """Describe the body of an operation."""
    schema = {"type": "object"} if partial else {"$ref": f"#/components/schemas/{body.__name__}"}
    example = _EXAMPLES["amendment" if partial else body.__name__]
    content = {media_type: {"schema": schema, "examples": {"typical": {"value": example}}}}
    return {"requestBody": {"required": True, "content": content}, "parameters": _HEADERS}


def _example_request() -> dict[str, Any]:
    soon = datetime.now(UTC).date() + timedelta(days=30)
    return {
        "sender_reference": "MOFA/2026/0417",
        "note_verbale": {"number": "NV-2231/2026", "date": str(soon - timedelta(days=35))},
        "ministry": "Ministry of Foreign Affairs",
        "focal_point": {
            "name": {"latin": "Maryam Al Haddad", "arabic": "مريم الحداد"},
            "email": "delegations@mofa.example",
            "language": "ar",
        },
        "kind": "study",
        "subject": "The national referral mechanism and victim identification",
        "themes": ["national-referral-mechanism", "victim-identification"],
        "objectives": {
            "ar": "الاطلاع على آلية الإحالة الوطنية.",
            "en": "To see the national referral mechanism.",
        },
        "windows": [{"first": str(soon), "last": str(soon + timedelta(days=11))}],
        "days": 2,
        "size": 1,
        "members": [
            {
                "name": {"latin": "Khalid Al Mansoori", "arabic": "خالد المنصوري"},
                "role": "head",
                "rank": "director",
                "position": "Director of Human Rights",
            }
        ],
        "languages": ["ar"],
    }


_EXAMPLES: dict[str, dict[str, Any]] = {
    "VisitRequest": _example_request(),
    "amendment": {"days": 3, "expected_results": {"en": "A draft procedure for referral."}},
    "Decided": {"decision": "approve"},
    "Reasoned": {"reason": "The delegation cannot travel."},
    "Acceptance": {"release": 1},
    "ReportText": {"summary": "The delegation saw the referral mechanism and will adapt its intake form."},
    "Consulted": {
        "body": "Ministry of Interior",
        "contact_name": "Fatima Al Doseri",
        "email": "visits@interior.example",
        "language": "ar",
        "veto": True,
        "question": "Is there an objection to a tour of the shelter?",
        "days": 7,
    },
    "BodyAnswer": {"answer": "object", "reason": "The shelter is closed to visitors in that week."},
}
