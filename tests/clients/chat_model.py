"""The tiny model with a chat template, and that template's text without the template's language."""
import pathlib
import shutil

from reference_answers import TINY_MODEL

TEMPLATE = ("{% for message in messages %}"
            "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
            "{{ raise_exception('roles are system, user and assistant') }}{% endif %}"
            "{{ message['role'] + ':' + message['content'] + '<|end|>' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}")


def make(folder: pathlib.Path) -> pathlib.Path:
    """A copy of the model in `folder`, with the template beside it."""
    model = folder / "tiny-chat"
    shutil.copytree(TINY_MODEL, model)
    (model / "chat_template.jinja").write_text(TEMPLATE)
    return model


def rendered(messages: list[dict], add_generation_prompt: bool = True) -> str:
    """What the template makes of messages whose contents are texts."""
    text = "".join(f"{m['role']}:{m['content']}<|end|>" for m in messages)
    return text + ("assistant:" if add_generation_prompt else "")
