export * from './admission.js';
export * from './answer.js';
export * from './api-responses.js';
export * from './field-errors.js';
export * from './http-app.js';
export * from './listen.js';
export * from './open-api.js';
export * from './problem.js';
