"""What the handbook, the image and the compose file say is so."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from aftersales.settings import Settings

ROOT = Path(__file__).parents[2]
HANDBOOK = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_the_table_of_settings_is_that_of_the_program():
    told = dict(re.findall(r"^\| `AFTERSALES_(\w+)` \| (?:`([^`]*)`)? *\|", HANDBOOK, re.MULTILINE))
    wanted = {
        name.upper(): "" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert told == wanted


def test_every_metric_is_in_the_handbook_and_every_alarm_is_about_one(world_metrics):
    section = HANDBOOK[HANDBOOK.index("## Metrics") : HANDBOOK.index("## What to do when")]
    families = {name.removeprefix("aftersales_") for name in world_metrics if name.startswith("aftersales_")}
    for name in families:
        assert name in section, name
    for name in re.findall(r"aftersales_(\w+)", section[section.index("```yaml") :]):
        assert any(name.startswith(family) for family in families), name
    alarms = yaml.safe_load(re.search(r"```yaml\n(.*?)```", section, re.DOTALL)[1])
    assert len(alarms["groups"][0]["rules"]) == 8


@pytest.fixture
def world_metrics(sqlite_url):
    from prometheus_client.parser import text_string_to_metric_families
    from starlette.testclient import TestClient

    from aftersales import store
    from aftersales.database import writing
    from tests.web.conftest import made_world
    from web.app import create_app

    world = made_world(sqlite_url)
    world.open()
    with writing(world.engine) as connection:
        store.beat(connection, "one", started_at=world.now, at=world.now)
    client = TestClient(create_app(world.desk, lambda: world.rules, world.settings))
    return {family.name for family in text_string_to_metric_families(client.get("/metrics").text)}


def test_a_password_file_completes_an_address_without_a_password(tmp_path):
    file = tmp_path / "password"
    file.write_text("a/b@c:1\n")

    def url(given):
        return Settings(database_url=given, database_password_file=file).database_url

    assert url("postgresql://shop@db/shop") == "postgresql://shop:a%2Fb%40c%3A1@db/shop"
    assert url("postgresql://shop:own@db/shop") == "postgresql://shop:own@db/shop"
    assert url("sqlite:///shop.db") == "sqlite:///shop.db"
    with pytest.raises(ValidationError, match="读不了"):
        Settings(database_url="postgresql://shop@db/shop", database_password_file=tmp_path / "none")


def test_the_compose_file_names_only_settings_and_commands_there_are():
    for service in COMPOSE["services"].values():
        for name in service.get("environment", {}):
            if name.startswith("AFTERSALES_"):
                assert name.removeprefix("AFTERSALES_").lower() in Settings.model_fields
    ours = {name: one for name, one in COMPOSE["services"].items() if one.get("image") == "aftersales"}
    assert [one["command"][1:] for one in ours.values()] == [
        ["db", "upgrade"], ["scheduler"], ["serve", "--no-scheduler"],
    ]  # fmt: skip
    assert all(one["read_only"] and one["volumes"] == ["data:/data"] for one in ours.values())


def test_the_image_takes_what_it_copies_and_runs_without_root():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    taken = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    copied = {
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    }
    assert copied == taken
    assert all((ROOT / name).exists() for name in copied)
    assert "USER aftersales" in lines
    for name in re.findall(r"\bAFTERSALES_(\w+)=", "\n".join(lines)):
        assert name.lower() in Settings.model_fields
