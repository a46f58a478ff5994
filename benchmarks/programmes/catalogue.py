"""What the made-up Centres offer: every kind of item, and the outline of each kind of visit."""

from typing import Any


def _item(code: str, kind: str, ar: str, en: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "kind": kind, "title": {"ar": ar, "en": en}, **more}


CATALOGUE: list[dict[str, Any]] = [
    _item("welcome", "welcome", "استقبال الوفد", "Welcome of the delegation", minutes=30, roles=["host"]),
    _item("courtesy-call", "courtesy-call", "زيارة مجاملة", "Courtesy call", minutes=30, roles=["host"]),
    _item("briefing", "briefing", "{}", "{}", each="theme", roles=["expert"]),
    _item(
        "workshop", "workshop", "ورشة: {}", "Workshop: {}",
        each="theme", minutes=120, roles=["expert"], features=["projector"],
    ),
    _item(
        "bilateral", "bilateral", "لقاء ثنائي", "Bilateral meeting",
        minutes=45, roles=["host", "expert"], after=["briefing", "workshop"],
    ),
    _item("tour", "tour", "جولة: {}", "Tour: {}", each="site", roles=["escort"], venues=["site"]),
    _item(
        "lunch", "lunch", "غداء", "Lunch",
        each="day", minutes=60, venues=["dining"], hours={"start": "12:15", "end": "13:45"},
    ),
    _item("closing", "closing", "الجلسة الختامية", "Closing session", minutes=30, roles=["host"]),
]  # fmt: skip

OUTLINES = {
    "courtesy": ["welcome", "courtesy-call", "briefing", "tour", "closing"],
    "study": ["welcome", "briefing", "tour", "lunch", "closing"],
    "expert": ["welcome", "briefing", "bilateral", "tour", "lunch", "closing"],
    "training": ["welcome", "workshop", "tour", "lunch", "closing"],
}

_MINUTES = (60, 75, 90)
_SUBJECTS = (
    "referral", "identification", "shelters", "interpreters", "inspection", "prosecution", "data",
    "awareness", "children", "cooperation", "hotline", "law", "training",
)  # fmt: skip
THEMES: list[dict[str, Any]] = [
    {"code": code, "title": {"ar": f"موضوع {code}", "en": code}, "minutes": _MINUTES[number % 3]}
    for number, code in enumerate(_SUBJECTS)
]
