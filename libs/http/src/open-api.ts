import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { PROBLEM_JSON } from '#libs/platform';

const JSON_TYPE = 'application/json';
const CSV_TYPE = 'text/csv';

export interface ApiDescription {
  readonly title: string;
  readonly description: string;
  readonly version: string;
}

/** The name of the security scheme, for `@ApiBearerAuth`. */
export const API_KEY = 'api_key';

const BEARER = {
  type: 'http' as const,
  scheme: 'bearer',
  description: 'An API key. It decides the tenant and what may be done.',
};

/** OpenAPI 3.1 of everything that the application serves, made from its zod schemas. */
function describeApi(app: INestApplication, api: ApiDescription): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(api.title)
    .setDescription(api.description)
    .setVersion(api.version)
    .addSecurity(API_KEY, BEARER)
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    standardSchemaConverter: (schema) =>
      schema instanceof z.ZodType ? wireSchema(schema) : undefined,
    operationIdFactory: (_controller, method) => method,
  });
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const operation of Object.values(operations) as Operation[]) {
      if (path.includes('{')) addTooLong(operation);
      correctTypes(operation);
    }
  }
  return withoutEmpty(document);
}

/** Swagger writes a server and a contact that nobody has named. */
function withoutEmpty({ servers, info, ...document }: OpenAPIObject): OpenAPIObject {
  const { contact, ...named } = info;
  return {
    ...document,
    info: { ...named, ...(Object.keys(contact ?? {}).length > 0 && { contact }) },
    ...(servers && servers.length > 0 && { servers }),
  };
}

interface Operation {
  responses?: Record<string, { description: string; content?: Record<string, unknown> }>;
}

/** The router answers it before any handler, on every path that holds an id. */
function addTooLong({ responses = {} }: Operation): void {
  const invalid = responses['400'];
  if (invalid === undefined) return;
  const description = 'An id in the path is longer than ids are';
  responses['414'] = { ...invalid, description, content: { ...invalid.content } };
}

/**
 * Swagger gives all answers of an operation the same content types and one schema; but every error is
 * a problem, and CSV is a text.
 */
function correctTypes({ responses = {} }: Operation): void {
  for (const [status, response] of Object.entries(responses)) {
    const { content } = response;
    if (Number(status) >= 400 && content?.[JSON_TYPE]) {
      response.content = { [PROBLEM_JSON]: content[JSON_TYPE] };
    } else if (content?.[CSV_TYPE]) {
      content[CSV_TYPE] = { schema: { type: 'string' } };
    }
  }
}

/** GET /openapi.json, and GET /docs: a page that needs nothing from the internet. */
export function serveApiDocs(app: INestApplication, api: ApiDescription): void {
  SwaggerModule.setup('docs', app, () => describeApi(app, api), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: api.title,
    swaggerOptions: { validatorUrl: null, persistAuthorization: true },
  });
}

/**
 * JSON Schema of what stands on the wire: the input side, for answers too, since a codec's input is
 * its encoded form. A schema with an id in its metadata becomes a component of that name. A body
 * whose handler reads it piece by piece names the schema of the whole as `described_by`.
 */
function wireSchema(given: z.ZodType) {
  const { described_by } = given.meta() ?? {};
  const schema = described_by instanceof z.ZodType ? described_by : given;
  const {
    $schema: _,
    $defs: components = {},
    ...converted
  } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      delete jsonSchema.id;
    },
  });
  return { schema: converted, components };
}
