import { applyDecorators } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse } from '@nestjs/swagger';
import { API_KEY, ProblemDetails } from '#libs/http';
import type { z } from 'zod';

const problem = (status: number, description: string) =>
  ApiResponse({ status, description, standardSchema: ProblemDetails });

/** What every read may answer. */
export const DescribesRead = (answer: z.ZodType) =>
  applyDecorators(
    ApiBearerAuth(API_KEY),
    ApiResponse({ status: 200, description: 'As projected', standardSchema: answer }),
    problem(400, 'The question cannot be read; `errors` names every field at fault'),
    problem(401, 'No key, or not a known one'),
    problem(403, 'The key does not have the scope'),
    problem(404, 'Nothing by that id'),
    problem(503, '`at_least` was not reached in time: ask again'),
  );
