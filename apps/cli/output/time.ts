// Times as virsh prints them.

const two = (number: number): string => String(number).padStart(2, "0");

/** `2026-01-31 12:00:00 +0100`, of seconds since 1970, where this machine is. */
export function formatLocalTime(seconds: number): string {
	const time = new Date(seconds * 1000);
	const offset = -time.getTimezoneOffset();
	const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
	const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
	return `${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())} ${zone}`;
}
