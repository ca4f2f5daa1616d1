"""`lockstep completion`: print the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_LOCKSTEP_COMPLETE"  # click's name for the variable that the script sets when it asks for completions


@click.command("completion")
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the shell completion script.

    \b
    source <(lockstep completion bash)
    lockstep completion zsh > "${fpath[1]}/_lockstep"
    lockstep completion fish > ~/.config/fish/completions/lockstep.fish
    """
    complete = get_completion_class(shell)
    assert complete is not None, shell  # noqa: S101  # click supports all choices of the argument
    click.echo(complete(ctx.find_root().command, {}, "lockstep", VARIABLE).source())
