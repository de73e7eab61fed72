import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { createMetrics, measureProcess } from '#libs/platform';

const root = new URL('../../', import.meta.url);
const text = (path: string) => readFileSync(new URL(path, root), 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly targets?: readonly { readonly expr: string }[];
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
}

const alerts = load(text('infra/prometheus/alerts.yml')) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = alerts.groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(text('infra/grafana/dashboards/usage-ledger.json')) as {
  readonly panels: readonly Panel[];
};
const drawn = dashboard.panels.filter(({ type }) => type !== 'row');
const expressions = [
  ...rules.map(({ expr }) => expr),
  ...drawn.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
];

/** What createMetrics declares: names and labels are on the metric, but not in its type. */
function declared(metrics = createMetrics()): ReadonlyMap<string, readonly string[]> {
  const { registry: _registry, ...all } = metrics;
  const metricsOfTheLedger = Object.values(all) as unknown as readonly {
    readonly name: string;
    readonly labelNames: readonly string[];
  }[];
  return new Map(metricsOfTheLedger.map(({ name, labelNames }) => [name, labelNames]));
}

/** Every series of a process, with its labels. */
async function seriesOfAProcess(): Promise<ReadonlyMap<string, readonly string[]>> {
  const metrics = createMetrics();
  measureProcess(metrics);
  const labels = declared(metrics);
  const series = new Map<string, readonly string[]>();
  for (const { name, type } of await metrics.registry.getMetricsAsJSON()) {
    const known = labels.get(name) ?? [];
    series.set(name, known);
    if (String(type) !== 'histogram') continue;
    series.set(`${name}_sum`, known).set(`${name}_count`, known);
    series.set(`${name}_bucket`, [...known, 'le']);
  }
  return series;
}

const METRIC = /\b(?:ledger|process|nodejs)_\w+/g;
/** Labels that Prometheus adds to what it scrapes. */
const SCRAPED = ['job', 'instance'];

it('rules and dashboard name only metrics that a process has', async () => {
  const known = await seriesOfAProcess();
  const named = new Set(expressions.flatMap((expr) => expr.match(METRIC) ?? []));
  expect([...named].filter((name) => !known.has(name))).toEqual([]);
  expect(named.size).toBeGreaterThan(12);
});

it('every label that they select by is one of the metric', async () => {
  const known = await seriesOfAProcess();
  const selectors = expressions.flatMap((expr) => [...expr.matchAll(/(\w+)\{([^}]*)\}/g)]);
  const faults = selectors.flatMap(([, name = '', conditions = '']) =>
    [...conditions.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)]
      .map(([, label]) => label!)
      .filter((label) => name !== 'up' && ![...(known.get(name) ?? []), ...SCRAPED].includes(label))
      .map((label) => `${name} has no label ${label}`),
  );
  expect(selectors.length).toBeGreaterThan(8);
  expect(faults).toEqual([]);
});

it('the dashboard shows every metric of the ledger', () => {
  const shown = drawn.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join('\n');
  const names = [...declared().keys()];
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !shown.includes(name))).toEqual([]);
});

it('the dashboard explains each panel, and no panel covers another', () => {
  for (const { title, description = '' } of drawn) {
    expect([title, description.endsWith('.')]).toEqual([title, true]);
  }
  const cells = drawn.flatMap(({ gridPos: { x, y, w } }) =>
    Array.from({ length: w }, (_, column) => `${y}/${x + column}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});

it('every alarm has a severity, a summary, and its section in the runbook', () => {
  const runbook = text('docs/runbook.md');
  for (const { alert, labels, annotations } of rules) {
    expect(['page', 'ticket']).toContain(labels.severity);
    expect(annotations.summary).not.toBe('');
    expect(runbook).toContain(`\n### ${alert}\n`);
  }
  const sections = [...runbook.matchAll(/^### (Ledger\w+)$/gm)].map(([, name]) => name);
  expect(sections).toHaveLength(rules.length);
  expect(new Set(sections)).toEqual(new Set(rules.map(({ alert }) => alert)));
});

it('every app is scraped under the name that the alarms use', () => {
  const config = load(text('infra/prometheus/prometheus.yml')) as {
    readonly rule_files: readonly string[];
    readonly scrape_configs: readonly { readonly job_name: string }[];
  };
  const jobs = config.scrape_configs.map(({ job_name }) => job_name);
  expect(config.rule_files).toEqual(['/etc/prometheus/alerts.yml']);
  const named = expressions.flatMap((expr) => [...expr.matchAll(/job=~?"([^"]+)"/g)]);
  expect(new Set(named.flatMap(([, list = '']) => list.split('|')))).toEqual(new Set(jobs));
});
