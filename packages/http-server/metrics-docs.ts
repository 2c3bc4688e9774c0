// Renders docs/metrics.md: every metric at /metrics with its type, labels and source, from the tables that declare them.

import { DAEMON_METRICS } from "./daemon-metrics.ts";
import { DOMAIN_METRICS, type Unit } from "./domain-metrics.ts";
import type { MetricHead } from "./exposition.ts";
import { SCRAPE_METRICS } from "./metrics.ts";

const code = (text: string): string => `\`${text}\``;
const cells = ({ name, type, labels, help }: MetricHead): string[] => [
	code(name),
	type,
	labels.map(code).join(" "),
	help.replaceAll("|", "\\|"),
];
const line = (columns: readonly string[]): string => `| ${columns.join(" | ")} |`;

/** How a statistic's unit is said; nothing where it is the metric's own. */
const UNITS: Readonly<Record<Unit, string>> = {
	"as it is": "",
	"KiB to bytes": ", KiB",
	"MiB to bytes": ", MiB",
	"ns to seconds": ", ns",
};

/** The page. */
export function render(): string {
	const own = [...DAEMON_METRICS, ...SCRAPE_METRICS].map((metric) => line(cells(metric)));
	const domains = DOMAIN_METRICS.map((metric) =>
		line([...cells(metric), `${code(metric.statistic)}${UNITS[metric.unit]}`]),
	);
	return `# Metrics for Prometheus

The daemon serves metrics in [Prometheus's text format](https://prometheus.io/docs/instrumenting/exposition_formats/) at \`/metrics\`, where
it is told to listen; without a word it listens nowhere. In \`etc/virtkit.conf\`:

\`\`\`ini
[http]
listen = "127.0.0.1:9177"      # or the path of a UNIX socket: "/run/virtkit/http.sock"
\`\`\`

\`virtkit daemon --http 127.0.0.1:9177\` does the same. There is no authentication yet, so that only loopback addresses and UNIX sockets are
taken, and requests that name another host are refused (421): put a proxy before it to have it read from elsewhere.

\`\`\`yaml
scrape_configs:
  - job_name: virtkit
    static_configs:
      - targets: ["127.0.0.1:9177"]
\`\`\`

The statistics are those of \`virsh domstats\`, asked for through the same operation, sixteen domains at once and never more than a few
milliseconds between other work. A guest that is busy (a job holds its monitor) is not waited for: what needs no monitor is told all the same.
One that does not answer in five seconds is left out and counted. What a statistic is not told for (a guest that is off, a guest without a
balloon) has no sample. Four pages are made at once; a further request is answered 503.

## The daemon

| Metric | Type | Labels | Means |
| --- | --- | --- | --- |
${own.join("\n")}

## Domains

Each has the labels \`domain\` (its name) and \`uuid\`.

| Metric | Type | Labels | Means | Statistic |
| --- | --- | --- | --- | --- |
${domains.join("\n")}

The page is made from the tables in \`packages/http-server\`; \`./virtkit check --fix\` makes it anew.
`;
}
