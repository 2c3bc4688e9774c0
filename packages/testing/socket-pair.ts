// Two ends of one real connection, for tests of either side of a protocol.

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { temporaryFolder } from "./temporary-folder.ts";

/** Two connected UNIX sockets. */
export async function socketPair(): Promise<readonly [Socket, Socket]> {
	using folder = temporaryFolder();
	const server = createServer();
	server.listen(folder.file("sock"));
	await once(server, "listening");
	const here = connect(folder.file("sock"));
	const [[there]] = await Promise.all([once(server, "connection"), once(here, "connect")]);
	server.close();
	return [here, there as Socket];
}
