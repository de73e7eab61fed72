import ts from 'typescript';

const toCommonJs = { compilerOptions: { module: ts.ModuleKind.CommonJS } };

// Fastify require()s packages that ship as ES modules only. Node can do that; Jest can from
// Node 24.9 on. Until then a required copy is rewritten; an imported one stays as it is.
export default {
  process: (code, _path, { supportsStaticESM }) =>
    supportsStaticESM ? { code } : { code: ts.transpileModule(code, toCommonJs).outputText },
};
