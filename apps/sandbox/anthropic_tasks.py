"""Anthropic's count of tokens: https://docs.anthropic.com/en/api/messages-count-tokens"""

from apps.sandbox.anthropic_request import count_prompt
from apps.sandbox.results import respond
from apps.sandbox.wire import Job, Outgoing


def count_tokens(job: Job) -> Outgoing:
    total = count_prompt(job.asked)
    return respond(job, {} if job.options.empty else {"input_tokens": total})
