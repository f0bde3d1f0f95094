"""The bill of materials: CycloneDX 1.4 JSON of the lock, with the licences that are told where it runs."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, metadata

from cyclonedx.model import HashAlgorithm, HashType, License, LicenseChoice, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import OutputFormat, SchemaVersion, get_instance
from packageurl import PackageURL

from bot.operate.supply.lock import OURSELVES, Locked, locked, normal
from bot.settings import ROOT

#: Longer than this, a package wrote the whole licence where its name belongs.
_NAME_LENGTH = 100
_NO_LICENCE = ("unknown", "osi approved", "dfsg approved")


def bill() -> str:
    """The bill as JSON. A component's ``hashes`` are those of every file of that release that may be used."""
    lock = locked()
    components = {normal(one.name): _component(one) for one in lock}
    ourselves = Component(name="earshot", version=_own_version(), component_type=ComponentType.APPLICATION)
    bom = Bom(components=components.values())
    bom.metadata.component = ourselves
    for one in lock:
        for name in one.wanted_by:
            by = ourselves if name == OURSELVES else components[normal(name)]
            by.dependencies.add(components[normal(one.name)].bom_ref)
    text = get_instance(bom, OutputFormat.JSON, SchemaVersion.V1_4).output_as_string()
    return json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"


def licence_of(name: str) -> str:
    """The licence that an installed package tells: expression, field or classifiers; empty when none."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return ""  # of another system, or of the tests
    if expression := told.get("License-Expression"):
        return str(expression)
    classifiers = [
        one.split(" :: ")[-1] for one in told.get_all("Classifier", []) if one.startswith("License :: ")
    ]
    classifiers = [one for one in classifiers if one.lower() not in _NO_LICENCE]
    if classifiers:
        return " OR ".join(sorted(classifiers))
    field = (told.get("License") or "").strip()
    return field if field.lower() not in _NO_LICENCE and len(field) <= _NAME_LENGTH else ""


def _component(one: Locked) -> Component:
    component = Component(
        name=one.name,
        version=one.version,
        component_type=ComponentType.LIBRARY,
        purl=PackageURL("pypi", name=one.name, version=one.version),
        hashes=[HashType(algorithm=HashAlgorithm.SHA_256, hash_value=value) for value in one.hashes],
    )
    if licence := licence_of(one.name):
        component.licenses.add(LicenseChoice(license_=License(license_name=licence)))
    if one.marker:
        component.properties.add(Property(name="earshot:only-where", value=one.marker))
    return component


def _own_version() -> str:
    for line in (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("version = "):
            return line.split('"')[1]
    raise ValueError("pyproject.toml tells no version")
