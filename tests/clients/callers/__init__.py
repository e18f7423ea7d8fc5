"""The clients, each behind the same few calls. A new one is a file here and a line in this list."""
from callers.hub import async_hub, hub
from callers.langchain import async_langchain, langchain
from callers.lorax_client import async_lorax, lorax
from callers.openai_sdk import async_openai_sdk, openai_sdk
from callers.tgi_client import async_tgi, tgi

ALL = [hub, async_hub, openai_sdk, async_openai_sdk, tgi, async_tgi, lorax, async_lorax, langchain, async_langchain]
