// npm run schemas: writes the JSON Schema of every message and event beside this file.
import { jsonSchemas } from '#libs/contracts';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';

const folder = new URL('./', import.meta.url);

for (const name of readdirSync(folder)) {
  if (name.endsWith('.json')) rmSync(new URL(name, folder));
}
for (const [name, schema] of Object.entries(jsonSchemas())) {
  const text = await format(JSON.stringify(schema), { parser: 'json', printWidth: 100 });
  writeFileSync(new URL(`${name}.json`, folder), text);
}
