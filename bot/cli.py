"""The ``earshot`` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from bot.areas.command import app as areas_app
from bot.custody.command import register as register_custody
from bot.directory.command import app as directory_app
from bot.operate.doctor.command import register as register_doctor
from bot.operate.supply.command import register as register_supply
from bot.posters.command import poster
from bot.store.audit_command import app as audit_app

app = typer.Typer(
    help="Earshot: a help assistant for young people.", no_args_is_help=True, add_completion=False
)
staff_app = typer.Typer(help="People who work at the desk.", no_args_is_help=True)
rota_app = typer.Typer(help="Who is there, and when.", no_args_is_help=True)
app.add_typer(staff_app, name="staff")
app.add_typer(rota_app, name="rota")
app.add_typer(areas_app, name="areas")
app.add_typer(directory_app, name="directory")
app.add_typer(audit_app, name="audit")
app.command()(poster)
out = Console()
err = Console(stderr=True)

# Commands import what they need when they run: `earshot --help` should not load a language model.


@app.command()
def run() -> None:
    """Set everything up and run it on this machine, with a demo's people and secrets."""
    from bot.operate import run as running
    from bot.settings import load_settings

    model = setup()
    settings = load_settings()
    try:
        running.check_ports(settings)
    except running.PortTaken as error:
        _stop(str(error))
    out.print("Starting Rasa, the action server and the gateway …")
    status = running.supervise(settings, model, _print_addresses, _print_late)
    raise typer.Exit(status)


@app.command()
def setup(
    rebuildable: Annotated[
        bool, typer.Option("--rebuildable", help="only what holds nobody's words: no secrets, no database")
    ] = False,
) -> Path:
    """Make what a run needs: secrets, encoder, Rasa model, database."""
    from bot.areas.command import set_up as set_up_areas
    from bot.bootstrap import core
    from bot.cache import cache_dir
    from bot.nlu.encoder_build import build_base
    from bot.operate import setup as steps
    from bot.operate.model import TrainingFailed, model_path, train
    from bot.risk.statistical_layer import build_risk_encoder

    try:
        if not rebuildable:
            steps.make_secrets()
        with out.status("Building the sentence encoder") as status:
            build_base(cache_dir(), status.update)
            build_risk_encoder(cache_dir(), status.update)
        out.print("[green]✓[/] sentence encoder")
        set_up_areas(out)
        if not model_path().exists():
            out.print("  Training the Rasa model; this takes a minute or two, once.")
        with out.status("Training the Rasa model"):
            model = train()
        out.print("[green]✓[/] Rasa model")
        if not rebuildable:
            steps.prepare_database(core())
            out.print("[green]✓[/] database")
    except TrainingFailed as error:
        err.print(error.output, markup=False, highlight=False)
        _stop("Rasa could not train a model. What it said stands above.")
    except OSError as error:
        _stop(f"{error.strerror or error}. Is the disk full, or not writable?")
    except Exception as error:  # noqa: BLE001 - one clear line instead of a traceback
        if type(error).__module__.startswith("bot."):
            _stop(str(error))
        raise
    return model


@app.command()
def train() -> None:
    """Train the Rasa model if its inputs changed."""
    from bot.operate.model import TrainingFailed
    from bot.operate.model import train as train_model

    try:
        train_model()
    except TrainingFailed as error:
        err.print(error.output, markup=False, highlight=False)
        raise typer.Exit(1) from None


@app.command()
def serve() -> None:
    """Run the gateway."""
    import uvicorn

    from bot.bootstrap import core
    from bot.content import ContentError
    from bot.gateway.app import create_app
    from bot.gateway.server import server_options
    from bot.logs import configure_logs
    from bot.operate.safe_to_start import refuse_unless_safe
    from bot.risk.families import RiskDataError
    from bot.settings import SettingsError

    configure_logs()
    try:
        house = core()
        refuse_unless_safe(house.settings, house.content)
        application = create_app(house)
    except (SettingsError, ContentError, RiskDataError) as error:
        _stop(str(error))
    uvicorn.run(
        application,
        host=house.settings.host,
        port=house.settings.port,
        **server_options(house.settings),
    )


@app.command()
def process(name: Annotated[str, typer.Argument(help="as in Procfile: rasa, actions or gateway")]) -> None:
    """Become one of the three processes, for a service manager that runs each by itself."""
    from bot.operate import run as running
    from bot.settings import load_settings

    try:
        running.become(name, load_settings())
    except running.CannotRun as error:
        _stop(str(error))


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from bot.bootstrap import core
    from bot.store.migrate import migrate as migrate_store

    migrate_store(core().store)
    out.print("The database has the newest schema.")


@app.command()
def talk() -> None:
    """Talk to a running Earshot in this terminal."""
    from bot.operate.terminal import talk as talk_here
    from bot.settings import load_settings

    talk_here(load_settings().url, out)


@app.command()
def drafts(
    safety: Annotated[bool, typer.Option(help="only wording that a child's safety hangs on")] = False,
) -> None:
    """List the wording that no safeguarding lead has signed yet."""
    from bot.content import Content
    from bot.settings import ROOT
    from bot.signoff import unsigned

    found = unsigned(Content.load(ROOT / "data"), ROOT / "data", safety_only=safety)
    table = Table("file", "wording")
    for file, name in found:
        table.add_row(file, name)
    out.print(table)
    out.print(f"{len(found)} unsigned. Sign with reviewed_by and reviewed_on; see data/README.md.")


@app.command("risk-check")
def risk_check(
    family: Annotated[str, typer.Option(help="show what this family matches and changes")] = "",
    on: Annotated[
        list[Path] | None,
        typer.Option(help="labelled messages to look through; those it learned from by default", exists=True),
    ] = None,
) -> None:
    """Check that every phrase family matches what it must and nothing it must not."""
    from bot.nlu.base_model import EncoderError
    from bot.risk.detector import DATA_DIR, default_detector
    from bot.risk.effect import UnknownFamily, effect_of
    from bot.risk.evaluation_report import print_effect
    from bot.risk.examples import check_examples
    from bot.risk.families import RiskDataError
    from bot.risk.labelled import LabelError, read_labelled
    from bot.risk.training.data import training_files

    try:
        wrong = check_examples()
        for line in wrong:
            err.print(line, markup=False)
        out.print(
            f"{len(wrong)} examples come out wrong." if wrong else "Every example comes out as written."
        )
        if family:
            rows = [row for file in on or training_files(DATA_DIR) for row in read_labelled(file)]
            with out.status("Reading labelled messages"):
                effect = effect_of(family, rows, default_detector())
            print_effect(family, effect, out)
    except (RiskDataError, EncoderError, LabelError, UnknownFamily) as error:
        _stop(str(error))
    raise typer.Exit(bool(wrong))


@app.command("demo-links")
def demo_links() -> None:
    """Print fresh one-time sign-ins for the duty workers whose shift it is (demo only)."""
    _print_addresses()


@staff_app.command("add")
def staff_add(
    email: Annotated[str, typer.Argument(help="of somebody in the rota")],
    password: Annotated[
        str,
        typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="asked for when left out"),
    ],
) -> None:
    """Give somebody in the rota a password for the desk."""
    from bot.bootstrap import core
    from bot.desk.passwords import WeakPassword
    from bot.desk.sign_in import set_password

    with core().uow() as uow:
        staff = uow.staff_by_sign_in(email)
        if staff is None:
            _stop("Nobody in the rota has this e-mail address. Load them first: earshot rota load FILE")
        try:
            set_password(uow, staff, password)
        except WeakPassword as error:
            _stop(str(error))
        uow.commit()
    out.print("Done. They can sign in at the desk now.")


@rota_app.command("load")
def rota_load(file: Annotated[Path, typer.Argument(help="see data/rota.example.yml", exists=True)]) -> None:
    """Load people, places and hours from a file."""
    from bot.bootstrap import core
    from bot.store.rota_file import RotaFileError, load_rota

    with core().uow() as uow:
        try:
            places, people = load_rota(uow, file)
        except RotaFileError as error:
            _stop(str(error))
        uow.commit()
    out.print(f"Loaded {places} places and {people} people.")


@app.command("train-encoder")
def train_encoder(
    python: Annotated[
        str | None, typer.Option(envvar="EARSHOT_TRAIN_PYTHON", help="a Python that has torch")
    ] = None,
) -> None:
    """Train the risk encoder's adapter again (developers; see docs/risk_model_card.md)."""
    from bot.nlu.base_model import EncoderError
    from bot.risk.families import RiskDataError
    from bot.risk.labelled import LabelError
    from bot.risk.training import command

    try:
        torch_python = command.find_python(python)
        provenance = command.train_encoder(torch_python, lambda line: out.print(line, markup=False))
    except (command.TrainingError, EncoderError, LabelError, RiskDataError) as error:
        _stop(str(error))
    out.print(f"Kept in data/risk/model. On the scenarios held out: {provenance['validation']}", markup=False)


@app.command("evaluate-risk")
def evaluate_risk(
    file: Annotated[Path, typer.Argument(help="labelled messages, one JSON object a line")],
    json_out: Annotated[Path | None, typer.Option("--json", help="write figures and rows here too")] = None,
) -> None:
    """Measure how risk is recognised on a file of labelled messages."""
    import json

    from bot.nlu.base_model import EncoderError
    from bot.risk.evaluation import evaluate_file
    from bot.risk.evaluation_report import print_report
    from bot.risk.families import RiskDataError
    from bot.risk.labelled import LabelError

    try:
        report = evaluate_file(file)
    except (EncoderError, LabelError, RiskDataError) as error:
        _stop(str(error))
    if json_out:
        written = json.dumps(report.to_dict(), indent=1, ensure_ascii=False)
        json_out.write_text(written + "\n", encoding="utf-8")
    print_report(report, out)


@app.command("evaluate-intents")
def evaluate_intents(
    file: Annotated[Path, typer.Argument(help="one JSON object a line, with text and intent")],
) -> None:
    """Measure how intents are recognised by the trained Rasa model."""
    from bot.operate import intents
    from bot.operate.model import TrainingFailed

    try:
        intents.print_report(intents.evaluate_file(file), out)
    except (intents.IntentFileError, TrainingFailed) as error:
        _stop(str(error))


@app.command()
def transcripts() -> None:
    """Play the written conversations through Earshot and put down what was said in docs/conversations.md."""
    from bot.operate.transcripts import DOCUMENT, written

    with out.status("Playing the conversations"):
        DOCUMENT.write_text(written(), encoding="utf-8")
    out.print(f"Written: {DOCUMENT.name}")


@rota_app.command("export")
def rota_export() -> None:
    """Print people, places and hours as a file that `rota load` takes."""
    from bot.bootstrap import core
    from bot.store.rota_file import export_rota

    with core().store.read() as uow:
        out.print(export_rota(uow), markup=False, highlight=False, soft_wrap=True)


register_custody(app)
register_doctor(app)
register_supply(app)


def main() -> None:
    """Entry point of the ``earshot`` command."""
    from bot.settings import SettingsError

    try:
        app()
    except SettingsError as error:
        _stop(str(error))


def _print_addresses() -> None:
    from bot.bootstrap import core
    from bot.operate.setup import demo_links as links_of

    house = core()
    lines = [f"Chat   {house.settings.url}/", f"Desk   {house.settings.url}/desk/"]
    if house.settings.mode == "demo":
        lines += [f"Sign in once as {name}:\n       {link}" for name, link in links_of(house)]
    if house.settings.telegram_bot_token.get_secret_value():
        lines.append("Telegram is on.")
    else:
        lines.append("Telegram: ask @BotFather for a bot, then  TELEGRAM_BOT_TOKEN=… make run")
    # soft_wrap: a link that is broken over two lines cannot be copied.
    out.print(Panel.fit("Earshot is ready. Ctrl-C stops it."))
    out.print("\n".join(lines), soft_wrap=True, highlight=False)


def _print_late() -> None:
    err.print("Earshot is not ready after two minutes. /readyz names the part that is missing.")


def _stop(message: str) -> NoReturn:
    err.print(f"[red]earshot:[/] {message}", soft_wrap=True, highlight=False)
    sys.exit(1)


if __name__ == "__main__":
    main()
