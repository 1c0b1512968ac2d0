"""The example in docs/otp.md runs."""

from pathlib import Path


def test_the_example_of_the_documentation_runs(capsys):
    text = (Path(__file__).parents[2] / "docs" / "otp.md").read_text()
    example = text.split("```python\n")[1].split("```")[0]
    exec(compile(example, "docs/otp.md", "exec"), {"__name__": "example"})
    assert "kitchen is down: ValueError: what is that?" in capsys.readouterr().out
