"""`wafd schedule`: look at, try and change the programmes of visits."""

import typer

schedule_app = typer.Typer(no_args_is_help=True, help="Programmes of visits.")
