"""Where providers tell what is left in the house's account. Looked up on 2026-11-22, each on the page in ``docs``.

Left out: Venice, whose key for requests may not ask; StepFun, which documents it for its Chinese address alone, and
AiHubMix, of which no documentation was found.
"""

from apps.catalog.providers.spec import BalanceFeed, HeaderKey

OPENROUTER = BalanceFeed(
    path="/credits",
    amount="/data/total_credits",
    less="/data/total_usage",
    # Its reference now asks for a management key; where a key for requests is refused, the row in the admin says so.
    docs="https://openrouter.ai/docs/api/api-reference/credits/get-credits",
)
DEEPSEEK = BalanceFeed(
    path="/user/balance",
    each="/balance_infos",
    amount="/total_balance",
    currency_at="/currency",
    usable="is_available",
    docs="https://api-docs.deepseek.com/zh-cn/api/get-user-balance",
)
MOONSHOT = BalanceFeed(
    path="/users/me/balance",
    amount="/data/available_balance",
    # The page is that of api.moonshot.cn, in yuan; the published OpenAPI of api.moonshot.ai says the same in dollars.
    docs="https://platform.moonshot.cn/docs/api/balance",
)
NANO_GPT = BalanceFeed(
    path="https://nano-gpt.com/api/check-balance",
    method="POST",
    auth=HeaderKey("x-api-key", "NANO_GPT_API_KEY"),
    amount="/usd_balance",
    docs="https://docs.nano-gpt.com/api-reference/endpoint/check-balance",
)
NOVITA = BalanceFeed(
    path="https://api.novita.ai/openapi/v1/billing/balance/detail",
    amount="/availableBalance",
    parts=10_000,
    docs="https://novita.ai/docs/api-reference/basic-get-user-balance",
)
POE = BalanceFeed(
    path="https://api.poe.com/usage/current_balance",
    amount="/current_point_balance",
    currency="points",
    docs="https://creator.poe.com/api-reference/getCurrentBalance",
)
SILICONFLOW = BalanceFeed(
    path="/user/info",
    # "balance" is what was given, "chargeBalance" what was paid in. The currency is that of the prices at the address.
    amount="/data/totalBalance",
    docs="https://docs.siliconflow.cn/en/api-reference/userinfo/get-user-info",
)
SILICONFLOW_CHINA = BalanceFeed(
    path="/user/info",
    amount="/data/totalBalance",
    currency="CNY",
    docs="https://docs.siliconflow.cn/en/api-reference/userinfo/get-user-info",
)
SANDBOX = BalanceFeed(
    path="/credits",
    amount="/data/total_credits",
    less="/data/total_usage",
    docs="https://openrouter.ai/docs/api/api-reference/credits/get-credits",
)
VERCEL = BalanceFeed(
    path="/credits",
    amount="/balance",
    docs="https://vercel.com/docs/ai-gateway/usage",
)
