// Certificates for tests of TLS, made by openssl: an authority, and a server and a client that it vouches for.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makes ca-cert.pem, server-cert.pem, server-key.pem, client-cert.pem and client-key.pem in `folder`, for the given subject names (`IP:127.0.0.1`, `DNS:host`). */
export function makeCertificates(folder: string, names: string): void {
	mkdirSync(folder, { recursive: true, mode: 0o755 });
	const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
	const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
	const authority = [
		"-addext",
		"keyUsage=critical,keyCertSign,cRLSign",
		"-addext",
		"basicConstraints=critical,CA:TRUE",
	];
	writeFileSync(join(folder, "empty.cnf"), "[req]\ndistinguished_name=dn\n[dn]\n");
	const config = ["-config", "empty.cnf"];
	openssl(
		"req",
		...config,
		"-x509",
		...key,
		"-days",
		"2",
		"-subj",
		"/CN=authority",
		...authority,
		"-keyout",
		"ca-key.pem",
		"-out",
		"ca-cert.pem",
	);
	for (const [role, usage] of [
		["server", "serverAuth"],
		["client", "clientAuth"],
	] as const) {
		openssl("req", ...config, ...key, "-subj", `/CN=${role}`, "-keyout", `${role}-key.pem`, "-out", `${role}.csr`);
		writeFileSync(
			join(folder, `${role}.ext`),
			`basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=${usage}\nsubjectAltName=${names}\n`,
		);
		const signing = ["-CA", "ca-cert.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2"];
		openssl("x509", "-req", "-in", `${role}.csr`, ...signing, "-extfile", `${role}.ext`, "-out", `${role}-cert.pem`);
	}
	// Guests may run as another user than the test.
	for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o644);
}
