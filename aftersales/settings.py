"""What an installation may set: environment variables AFTERSALES_*, or a file named .env beside it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """`AFTERSALES_DATABASE_URL` and so on. Periods are seconds."""

    model_config = SettingsConfigDict(env_prefix="AFTERSALES_", env_file=".env", extra="ignore")

    database_url: str = "sqlite:///aftersales.db"
    #: a file with the password of the database, so that it stands in no address and in no environment
    database_password_file: Path | None = None
    #: of the training ground, which is never the database above
    sandbox_database_url: str = "sqlite:///sandbox.db"
    #: holidays and make-up days published since, or a shop's corrections: see work_calendar.py
    calendar_file: Path | None = None
    #: rule files that replace or add to those of the package: see catalog.py
    rules_dir: Path | None = None
    #: an automatic step fired at most this late starts the next clock at its due time (decision 8)
    catch_up_grace_seconds: int = 900
    #: the scheduler looks at least this often
    poll_seconds: float = 5.0
    sweep_batch: int = 500
    host: str = "127.0.0.1"
    port: int = 8000
    #: where uploaded files lie, outside of everything that is served; `evidence` beside the database if left out
    evidence_dir: Path | None = None
    #: the largest files that are taken, in MB (1,000,000 bytes)
    picture_mb: int = 20
    video_mb: int = 200
    pdf_mb: int = 20
    #: all files of one upload together
    upload_mb: int = 500
    #: sub-accounts that may work at once under one main account
    accounts_per_shop: int = 50
    #: the shop that tickets typed in belong to
    shop: str = "我的店铺"
    #: of the log on stderr: `text` for people, `json` for programs (logs.py)
    log_format: Literal["text", "json"] = "text"

    @model_validator(mode="after")
    def _with_password(self) -> Settings:
        file, head, rest = self.database_password_file, *self.database_url.partition("@")[::2]
        if file is not None and head.startswith("postgresql") and head.count(":") == 1:
            password = file.read_text(encoding="utf-8").removesuffix("\n")
            self.database_url = f"{head}:{quote(password, safe='')}@{rest}"
        return self

    @property
    def evidence_folder(self) -> Path:
        kind, _, place = self.database_url.partition(":///")
        beside = Path(place.partition("?")[0]).parent if kind.startswith("sqlite") and place else Path()
        return (self.evidence_dir or beside / "evidence").absolute()

    @property
    def catch_up_grace(self) -> timedelta:
        return timedelta(seconds=self.catch_up_grace_seconds)
