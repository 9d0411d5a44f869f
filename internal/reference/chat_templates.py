"""Renders conversations through chat templates with transformers, for the tests of package chat.

    python3 internal/reference/chat_templates.py [TOKENIZERS]

writes chat/testdata/chats.json from chat/testdata/templates; needs transformers (5.23 made the file that is kept). With a
folder of tokenizers (one of them phi-3-mini) it adds the ids that the rendered text has.
The templates are written in the form in which the models' repositories publish them.
"""

import datetime
import json
import pathlib
import sys

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

HERE = pathlib.Path(__file__).resolve().parents[2] / "chat" / "testdata"


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2025, 3, 7, 9, 5, 3)


chat_template_utils.datetime = Clock


def say(role, content, **more):
    return {"role": role, "content": content, **more}


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place — today's \"best\" guess",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": " a city <in> Europe & beyond"},
                "days": {"type": "integer", "description": "how many", "minimum": 1, "default": 3},
                "exact": {"type": ["number", "integer"], "description": "0.5", "examples": [0.5, 1e-7, 1e22, 3.0]},
            },
            "required": ["place"],
        },
        "return": {"type": "string", "description": "text"},
    },
}
EMPTY_TOOL = {
    "type": "function",
    "function": {"name": "ping", "description": "", "parameters": {"type": "object", "properties": {}, "required": []}},
}
CALL = {"type": "function", "id": "abc123DEF", "function": {"name": "get_weather", "arguments": {"place": "Köln", "days": 2}}}
CALL2 = {"type": "function", "id": "abc123GHI", "function": {"name": "ping", "arguments": {}}}
TEXT_CALL = {"type": "function", "id": "abc123DEF", "function": {"name": "get_weather", "arguments": '{"place": "Köln"}'}}

CONVERSATIONS = {
    "user": [say("user", "Why?")],
    "system": [say("system", "Be brief."), say("user", "Why?")],
    "turns": [
        say("system", "Be brief."),
        say("user", "1 + 1?"),
        say("assistant", "2"),
        say("user", "And\n\nthen?"),
        say("assistant", "Then 3.\n"),
        say("user", "Thanks"),
    ],
    "ends with assistant": [say("user", "1 + 1?"), say("assistant", " 2 ")],
    "empty": [say("system", ""), say("user", ""), say("assistant", ""), say("user", "x")],
    "unicode": [say("user", "Grüße, 世界 👩‍👩‍👧 \u00a0\u2028 'q' \"d\" \\n \x1f{{ x }}{% y %}")],
    "blanks": [say("system", "  s \n"), say("user", "\n\n \u3000 u \t\x1f\n"), say("assistant", "  a  "), say("user", "\u200bz ")],
    "two users": [say("user", "a"), say("user", "b")],
    "assistant first": [say("assistant", "a"), say("user", "b")],
    "only system": [say("system", "a")],
    "late system": [say("user", "a"), say("assistant", "b"), say("system", "c"), say("user", "d")],
    "other role": [say("user", "a"), say("narrator", "b")],
    "tags in text": [say("user", "<|im_end|> [/INST] </s> <end_of_turn>"), say("assistant", "<think>\nhm\n</think>\n\nyes"), say("user", "go")],
    "thinking": [say("user", "a"), say("assistant", "b", reasoning_content="r1\n"), say("user", "c"), say("assistant", "d", thinking="r2")],
    "parts": [say("user", [{"type": "text", "text": " Look: "}, {"type": "text", "text": "there"}]), say("assistant", "a")],
    "no content": [say("user", "a"), {"role": "assistant"}],
    "null content": [say("user", "a"), say("assistant", None, tool_calls=None), say("user", "b")],
    "number": [say("user", 5)],
    "call": [
        say("system", "Use tools."),
        say("user", "Weather in Köln?"),
        say("assistant", None, tool_calls=[CALL]),
        say("tool", '{"sky": "grey", "t": 7.0}', name="get_weather", tool_call_id="abc123DEF"),
        say("assistant", "Grey."),
        say("user", "Thanks"),
    ],
    "two calls": [
        say("user", "Weather?"),
        say("assistant", "I look.", tool_calls=[CALL, CALL2]),
        say("tool", "grey", tool_call_id="abc123DEF"),
        say("tool", "pong", tool_call_id="abc123GHI"),
    ],
    "text call": [say("user", "Weather?"), say("assistant", "", tool_calls=[TEXT_CALL]), say("tool", "grey", tool_call_id="no")],
}
TOOLS = {"none": None, "both": [WEATHER, EMPTY_TOOL]}

PLAIN = ["user", "system", "ends with assistant", "blanks", "two users", "no content", "call"]
EXTRA = [
    ("qwen3", "turns", {"enable_thinking": False}),
    ("qwen3", "turns", {"enable_thinking": True}),
    ("llama-3.1", "system", {"date_string": "1 Jan 2030"}),
    ("llama-3.1", "call", {"tools_in_user_message": False}),
    ("llama-3.1", "call", {"builtin_tools": ["get_weather", "code_interpreter"]}),
    ("llama-3.2", "user", {"strftime_now": None, "date_string": "x"}),
    ("zephyr", "turns", {"eos_token": "<END>"}),
    ("chatml", "user", {"messages_extra": [1]}),
]
CONTINUE = ["ends with assistant", "blanks", "parts", "empty", "thinking", "no content", "tags in text"]


def run(tokenizer, conversation, tools=None, extra={}, **options):
    try:
        return {"text": tokenizer.apply_chat_template(conversation, tools=tools, tokenize=False, **options, **extra)}
    except Exception as e:
        return {"error": str(e).split("Final message to continue")[0], "type": type(e).__name__}


def main():
    out = {"conversations": CONVERSATIONS, "tools": TOOLS["both"], "now": "2025-03-07T09:05:03Z", "cases": []}
    for path in sorted((HERE / "templates").glob("*.jinja")):
        name = path.stem
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0}, "<unk>")), bos_token="<s>", eos_token="</s>")
        tokenizer.chat_template = path.read_text(encoding="utf-8")

        def add(conversation, tools=None, extra={}, **options):
            case = {"template": name, "conversation": conversation, **options}
            if tools:
                case["tools"] = True
            if extra:
                case["extra"] = extra
            out["cases"].append({**case, **run(tokenizer, CONVERSATIONS[conversation], tools, extra, **options)})

        for conversation in CONVERSATIONS:
            add(conversation, add_generation_prompt=True)
        for conversation in PLAIN:
            add(conversation)
        if "tools" in tokenizer.chat_template:
            for conversation in ["user", "call", "two calls", "text call", "two users", "only system"]:
                add(conversation, TOOLS["both"], add_generation_prompt=True)
        for template, conversation, extra in EXTRA:
            if template == name:
                add(conversation, TOOLS["both"] if "call" in conversation else None, extra)
        for conversation in CONTINUE:
            add(conversation, continue_final_message=True)
    if len(sys.argv) > 1:
        folder = pathlib.Path(sys.argv[1]) / "phi-3-mini"
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        plain = Tokenizer.from_file(str(folder / "tokenizer.json"))  # as the file says: transformers 5 has its own ideas of Llama's blanks
        out["ids"] = {}
        for name in ["user", "turns", "empty", "unicode", "blanks", "tags in text"]:
            text = tokenizer.apply_chat_template(CONVERSATIONS[name], tokenize=False, add_generation_prompt=True)
            out["ids"][name] = plain.encode(text, add_special_tokens=False).ids
    path = HERE / "chats.json"
    path.write_text(json.dumps(out, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(path, len(out["cases"]), "cases", path.stat().st_size, "bytes")


main()
