// What npm's clients do against one address: a JSON object of client, feature and outcome.
// `node clients.mjs http://127.0.0.1:8765`, from a directory that has them installed.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const url = process.argv[2];
const here = createRequire(join(process.cwd(), "package.json"));
const load = async (name) => import(pathToFileURL(here.resolve(name)).href);

const { default: OpenAI } = await load("openai");
const { zodResponseFormat } = await load("openai/helpers/zod");
const { default: Anthropic } = await load("@anthropic-ai/sdk");
const ai = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
const { createAnthropic } = await load("@ai-sdk/anthropic");
const { z } = await load("zod");

const MODEL = "Qwen/Qwen3-8B";
const KIMI = "moonshotai/Kimi-K2.6";
const QUESTION = "What is the weather in Paris?";
const messages = [{ role: "user", content: QUESTION }];
const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
const Trip = z.object({ city: z.string(), days: z.number().int() });
const FUNCTION = { name: "get_weather", description: "Weather in a city", parameters: SCHEMA };
const TOOL = { type: "function", function: FUNCTION };
const isTrip = (trip) => typeof trip.city === "string" && Number.isInteger(trip.days);

const openai = new OpenAI({ baseURL: `${url}/oai/api/v1`, apiKey: "tml-matrix", maxRetries: 0 });
const anthropic = new Anthropic({
  baseURL: `${url}/anthropic/api`,
  apiKey: "tml-matrix",
  maxRetries: 0,
});
const chat = (more) => openai.chat.completions.create({ model: MODEL, messages, ...more });

const OPENAI = {
  text: async () => (await chat({ max_tokens: 9 })).usage.total_tokens > 9,
  stream: async () => {
    let reason = null;
    for await (const chunk of await chat({ max_tokens: 9, stream: true }))
      reason = chunk.choices[0]?.finish_reason ?? reason;
    return reason === "length";
  },
  tools: async () => {
    const answer = await chat({ model: KIMI, tools: [TOOL] });
    return isTrip(JSON.parse(answer.choices[0].message.tool_calls[0].function.arguments));
  },
  "some tools allowed": async () => {
    const other = { ...TOOL, function: { ...FUNCTION, name: "weather_in_paris" } };
    const names = [{ type: "function", function: { name: "get_weather" } }];
    const allowed = { mode: "required", tools: names };
    const tool_choice = { type: "allowed_tools", allowed_tools: allowed };
    const answer = await chat({ tools: [other, TOOL], tool_choice });
    return answer.choices[0].message.tool_calls.every((c) => c.function.name === "get_weather");
  },
  "structured answer": async () => {
    const response_format = zodResponseFormat(Trip, "trip");
    const asked = { model: MODEL, messages, response_format };
    return isTrip((await openai.chat.completions.parse(asked)).choices[0].message.parsed);
  },
  "Responses API": async () => openai.responses.create({ model: MODEL, input: "hi" }),
  "tool runner": async () => {
    const tool = {
      type: "function",
      function: { ...FUNCTION, parse: JSON.parse, function: ({ city }) => `sunny in ${city}` },
    };
    const runner = openai.chat.completions.runTools({ model: KIMI, messages, tools: [tool] });
    return typeof (await runner.finalContent()) === "string";
  },
  "list of models": async () => {
    for await (const model of openai.models.list()) if (model.id === MODEL) return true;
    return false;
  },
};

const message = (more) => anthropic.messages.create({ model: MODEL, max_tokens: 500, messages, ...more });
const WEATHER = { name: "get_weather", description: "Weather in a city", input_schema: SCHEMA };

const ANTHROPIC = {
  text: async () => (await message({ max_tokens: 9 })).stop_reason === "max_tokens",
  stream: async () => {
    const stream = anthropic.messages.stream({ model: MODEL, max_tokens: 9, messages });
    return (await stream.finalMessage()).stop_reason === "max_tokens";
  },
  tools: async () => {
    const answer = await message({ model: KIMI, tools: [WEATHER] });
    return isTrip(answer.content.find((block) => block.type === "tool_use").input);
  },
  "structured answer": async () => {
    const { zodOutputFormat } = await load("@anthropic-ai/sdk/helpers/zod");
    const output_config = { format: zodOutputFormat(Trip) };
    const asked = { model: MODEL, max_tokens: 500, messages, output_config };
    return isTrip((await anthropic.messages.parse(asked)).parsed_output);
  },
  "tool runner": async () => {
    const { betaZodTool } = await load("@anthropic-ai/sdk/helpers/beta/zod");
    const tool = betaZodTool({ ...WEATHER, inputSchema: Trip, run: ({ city }) => `sunny in ${city}` });
    const asked = { model: KIMI, max_tokens: 500, messages, tools: [tool] };
    return (await anthropic.beta.messages.toolRunner(asked)).stop_reason === "end_turn";
  },
  "list of models": async () => {
    for await (const model of anthropic.models.list()) if (model.id === KIMI) return true;
    return false;
  },
};

const offered = {
  get_weather: ai.tool({
    description: "Weather in a city",
    inputSchema: Trip,
    execute: async ({ city }) => `sunny in ${city}`,
  }),
};

function aiSdk(provider) {
  const usual = { maxRetries: 0, maxOutputTokens: 500 };
  return {
    text: async () => {
      const { finishReason } = await ai.generateText({ ...usual, model: provider(MODEL), prompt: "hi" });
      return ["stop", "length"].includes(finishReason);
    },
    stream: async () => {
      let failure = null;
      const told = { ...usual, model: provider(MODEL), prompt: "hi", onError: (e) => (failure = e.error) };
      let text = "";
      for await (const piece of ai.streamText(told).textStream) text += piece;
      if (failure) throw failure;
      return text.length > 0;
    },
    tools: async () => {
      const asked = { ...usual, model: provider(KIMI), messages, tools: offered };
      const { toolResults } = await ai.generateText(asked);
      return toolResults[0].output.startsWith("sunny in ");
    },
    "structured answer": async () => {
      const asked = { ...usual, model: provider(MODEL), prompt: "Plan a trip", schema: Trip };
      return isTrip((await ai.generateObject(asked)).object);
    },
    "tool runner": async () => {
      const stopWhen = ai.stepCountIs(3);
      const asked = { ...usual, model: provider(KIMI), messages, tools: offered, stopWhen };
      return (await ai.generateText(asked)).steps.length > 1;
    },
  };
}

const key = { apiKey: "tml-matrix" };
const compatible = createOpenAICompatible({
  ...key,
  name: "tinker",
  baseURL: `${url}/oai/api/v1`,
  supportsStructuredOutputs: true,
});
const openaiProvider = createOpenAI({ ...key, baseURL: `${url}/oai/api/v1` });
const anthropicProvider = createAnthropic({ ...key, baseURL: `${url}/anthropic/api/v1` });

const CLIENTS = {
  "openai (npm)": ["openai", OPENAI],
  "@anthropic-ai/sdk": ["@anthropic-ai/sdk", ANTHROPIC],
  "ai + openai-compatible": ["ai", aiSdk(compatible)],
  "ai + openai.chat": ["ai", aiSdk(openaiProvider.chat)],
  "ai + openai": ["ai", { "Responses API": aiSdk(openaiProvider).text }],
  "ai + anthropic": ["ai", aiSdk(anthropicProvider)],
};

const release = (name) =>
  JSON.parse(readFileSync(join(process.cwd(), "node_modules", name, "package.json"), "utf8")).version;

async function outcome(feature) {
  try {
    return (await feature()) ? "works" : "says nothing";
  } catch (error) {
    const said = error.message || error.responseBody || "";
    const status = error.statusCode ? `${error.statusCode} ` : "";
    return `${error.constructor.name}: ${status}${String(said).replace(/\s+/g, " ")}`.slice(0, 160);
  }
}

const found = {};
for (const [client, [name, features]] of Object.entries(CLIENTS)) {
  const outcomes = {};
  for (const [feature, run] of Object.entries(features)) outcomes[feature] = await outcome(run);
  found[client] = { release: release(name), features: outcomes };
}
console.log(JSON.stringify(found));
