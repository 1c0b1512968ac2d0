"""The examples in docs/otp.md run, one after the other, as a reader would try them."""

from pathlib import Path


def test_the_examples_of_the_documentation_run(capsys):
    text = (Path(__file__).parents[2] / "docs" / "otp.md").read_text()
    examples = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    names = {"__name__": "example"}
    for example in examples:
        exec(compile(example, "docs/otp.md", "exec"), names)
    printed = capsys.readouterr().out
    assert len(examples) == 3
    assert "kitchen is down: ValueError: what is that?" in printed
    assert "walked through" in printed
