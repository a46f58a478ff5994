"""`wafd`: every command, mounted."""

import logging
import sys

import structlog
import typer

from cli import bench, client, demo, ops, serve, up
from cli import replanning as _replanning  # noqa: F401 -- its commands join `wafd schedule`
from cli.log import log_app
from cli.parked import parked_app
from cli.schedule import schedule_app
from cli.schemas import schemas_app

app = typer.Typer(
    name="wafd",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Delegation visits and expert exchange of a Regional Centre of Excellence.",
)
app.command()(serve.serve)
app.command()(serve.migrate)
app.command()(up.up)
app.command()(demo.demo)
app.command()(client.submit)
app.command()(ops.lag)
app.command()(ops.recover)
app.add_typer(bench.bench_app, name="bench")
app.add_typer(client.client_app, name="client")
app.add_typer(log_app, name="log")
app.add_typer(parked_app, name="parked")
app.add_typer(schedule_app, name="schedule")
app.add_typer(schemas_app, name="schemas")


def main() -> None:
    """Run the command that the arguments name."""
    logging.getLogger().addHandler(logging.NullHandler())  # libraries say nothing beside our sentences
    structlog.configure(  # until a service configures its own: what a command prints stands alone on stdout
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    app()


if __name__ == "__main__":
    main()
