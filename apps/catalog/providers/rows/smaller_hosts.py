"""Smaller hosts, and vendors of few models, all with OpenAI's chat completions at a plain address.

Addresses and variables are those that opencode 1.18.33 (https://www.npmjs.com/package/opencode-ai, MIT) and litellm 1.106.2
(https://github.com/BerriAI/litellm, MIT) call them with. What their APIs do beyond chat was not read.
"""

from apps.catalog.providers.endpoints import chat, chat_completions
from apps.catalog.providers.rows import balances
from apps.catalog.providers.rows.claude_quirks import SAMPLING
from apps.catalog.providers.rows.openai_quirks import SYSTEM_ROLE
from apps.catalog.providers.spec import Bearer, ProviderSpec, Tier

PLAIN = chat(chat_completions(SYSTEM_ROLE))

arcee = ProviderSpec(
    slug="arcee",
    name="Arcee AI",
    base_url="https://api.arcee.ai/api/v1",
    auth=Bearer("ARCEE_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=30,
    docs="https://docs.arcee.ai",
)

# Hearsay: the path after the host, and the variable.
avian = ProviderSpec(
    slug="avian",
    name="Avian",
    base_url="https://api.avian.io/v1",
    auth=Bearer("AVIAN_API_KEY"),
    endpoints=PLAIN,
    priority=45,
    docs="https://avian.io/pricing/",
)

berget = ProviderSpec(
    slug="berget",
    name="Berget AI",
    base_url="https://api.berget.ai/v1",
    auth=Bearer("BERGET_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://api.berget.ai",
)

# Hearsay: the path after the host, and the variable.
doubleword = ProviderSpec(
    slug="doubleword",
    name="Doubleword",
    base_url="https://api.doubleword.ai/v1",
    auth=Bearer("DOUBLEWORD_API_KEY"),
    endpoints=PLAIN,
    priority=45,
    docs="https://docs.doubleword.ai/inference-api/models",
)

evroc = ProviderSpec(
    slug="evroc",
    name="evroc",
    base_url="https://models.think.evroc.com/v1",
    auth=Bearer("EVROC_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://docs.evroc.com/products/think/overview.html",
)

hpc_ai = ProviderSpec(
    slug="hpc-ai",
    name="HPC-AI",
    base_url="https://api.hpc-ai.com/inference/v1",
    auth=Bearer("HPC_AI_API_KEY"),
    endpoints=PLAIN,
    quirks=(SAMPLING,),
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://www.hpc-ai.com/doc/docs/quickstart/",
)

inference_net = ProviderSpec(
    slug="inference-net",
    name="Inference.net",
    base_url="https://inference.net/v1",
    auth=Bearer("INFERENCE_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://inference.net/models",
)

io_net = ProviderSpec(
    slug="io-net",
    name="io.net",
    base_url="https://api.intelligence.io.solutions/api/v1",
    auth=Bearer("IOINTELLIGENCE_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://io.net/docs/guides/intelligence/io-intelligence",
)

meganova = ProviderSpec(
    slug="meganova",
    name="MegaNova",
    base_url="https://api.meganova.ai/v1",
    auth=Bearer("MEGANOVA_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://docs.meganova.ai",
)

modal = ProviderSpec(
    slug="modal",
    name="Modal",
    base_url="https://inference.us-west.modal.direct/v1",
    auth=Bearer("MODAL_PROXY_TOKEN"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://modal.com/docs/guide/endpoints",
)

neuralwatt = ProviderSpec(
    slug="neuralwatt",
    name="Neuralwatt",
    base_url="https://api.neuralwatt.com/v1",
    auth=Bearer("NEURALWATT_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://portal.neuralwatt.com/docs",
)

pioneer = ProviderSpec(
    slug="pioneer",
    name="Pioneer",
    base_url="https://api.pioneer.ai/v1",
    auth=Bearer("PIONEER_API_KEY"),
    endpoints=PLAIN,
    quirks=(SAMPLING,),
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://agent.pioneer.ai/llms.txt",
)

regolo = ProviderSpec(
    slug="regolo",
    name="Regolo AI",
    base_url="https://api.regolo.ai/v1",
    auth=Bearer("REGOLO_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://docs.regolo.ai/",
)

sakana = ProviderSpec(
    slug="sakana",
    name="Sakana AI",
    base_url="https://api.sakana.ai/v1",
    auth=Bearer("SAKANA_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=30,
    docs="https://console.sakana.ai/models",
)

siliconflow = ProviderSpec(
    slug="siliconflow",
    name="SiliconFlow",
    base_url="https://api.siliconflow.com/v1",
    auth=Bearer("SILICONFLOW_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    balance=balances.SILICONFLOW,
    docs="https://docs.siliconflow.com",
)

siliconflow_china = ProviderSpec(
    slug="siliconflow-china",
    name="SiliconFlow (China)",
    base_url="https://api.siliconflow.cn/v1",
    auth=Bearer("SILICONFLOW_CN_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    balance=balances.SILICONFLOW_CHINA,
    docs="https://docs.siliconflow.cn",
)

stackit = ProviderSpec(
    slug="stackit",
    name="STACKIT",
    base_url="https://api.openai-compat.model-serving.eu01.onstackit.cloud/v1",
    auth=Bearer("STACKIT_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://docs.stackit.cloud/products/data-and-ai/ai-model-serving/basics/available-shared-models",
)

stepfun = ProviderSpec(
    slug="stepfun",
    name="StepFun",
    base_url="https://api.stepfun.ai/v1",
    auth=Bearer("STEPFUN_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=30,
    docs="https://platform.stepfun.ai/docs",
)

synthetic = ProviderSpec(
    slug="synthetic",
    name="Synthetic",
    base_url="https://api.synthetic.new/openai/v1",
    auth=Bearer("SYNTHETIC_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://synthetic.new/pricing",
)

tensormesh = ProviderSpec(
    slug="tensormesh",
    name="Tensormesh",
    base_url="https://serverless.tensormesh.ai/v1",
    auth=Bearer("TENSORMESH_INFERENCE_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://github.com/BerriAI/litellm",
)

tinfoil = ProviderSpec(
    slug="tinfoil",
    name="Tinfoil",
    base_url="https://inference.tinfoil.sh/v1",
    auth=Bearer("TINFOIL_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://docs.tinfoil.sh",
)

upstage = ProviderSpec(
    slug="upstage",
    name="Upstage",
    base_url="https://api.upstage.ai/v1/solar",
    auth=Bearer("UPSTAGE_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=30,
    docs="https://developers.upstage.ai/docs/apis/chat",
)

venice = ProviderSpec(
    slug="venice",
    name="Venice AI",
    base_url="https://api.venice.ai/api/v1",
    auth=Bearer("VENICE_API_KEY"),
    endpoints=PLAIN,
    quirks=(SAMPLING,),
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://docs.venice.ai",
)

volcengine = ProviderSpec(
    slug="volcengine",
    name="Volcengine Ark",
    base_url="https://ark.cn-beijing.volces.com/api/v3",
    auth=Bearer("ARK_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=30,
    docs="https://www.volcengine.com/docs/82379/1330310",
)

vultr = ProviderSpec(
    slug="vultr",
    name="Vultr Inference",
    base_url="https://api.vultrinference.com/v1",
    auth=Bearer("VULTR_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=45,
    docs="https://api.vultrinference.com/",
)

ROWS = (
    arcee,
    avian,
    berget,
    doubleword,
    evroc,
    hpc_ai,
    inference_net,
    io_net,
    meganova,
    modal,
    neuralwatt,
    pioneer,
    regolo,
    sakana,
    siliconflow,
    siliconflow_china,
    stackit,
    stepfun,
    synthetic,
    tensormesh,
    tinfoil,
    upstage,
    venice,
    volcengine,
    vultr,
)
