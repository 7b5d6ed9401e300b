"""The command line, run in this process."""

from click.testing import CliRunner, Result

from cli.main import main


def run(*arguments: str, lang: str = "C.UTF-8") -> Result:
    """`netfax …`; what is no exit of the command's own is raised."""
    environment = {"LANG": lang, "LC_ALL": None, "LC_MESSAGES": None}
    result = CliRunner().invoke(main, arguments, env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
