#!/usr/bin/env python3
# The measuring client of the benchmarks: asks one daemon through python3-libvirt and prints what it took.
"""The measuring client: one workload against one daemon through python3-libvirt; prints one JSON object.

usage: client.py WORKLOAD URI DOMAIN.xml [NUMBER [DESTINATION-URI FILE]]
"""
import json
import os, multiprocessing, statistics, sys, time
import libvirt

libvirt.registerErrorHandler(lambda context, error: None, None)


def start(uri, xml, rounds):
    """Milliseconds of createXML until the guest runs."""
    conn = libvirt.open(uri)
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        domain = conn.createXML(xml, 0)
        times.append((time.perf_counter() - began) * 1000)
        assert domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
        domain.destroy()
    return {"median_ms": statistics.median(times), "min_ms": min(times), "max_ms": max(times)}


def caller(uri, name, what, seconds, results):
    conn = libvirt.open(uri)
    domain = conn.lookupByName(name)
    call = domain.info if what == "info" else domain.XMLDesc
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for _ in range(50):
            call()
        count += 50
    results.put(count / (time.perf_counter() - began))


def calls(uri, xml, clients, what):
    """Calls a second, all clients together."""
    conn = libvirt.open(uri)
    domain = conn.defineXML(xml)
    results = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=caller, args=(uri, domain.name(), what, 2, results)) for _ in range(clients)]
    for worker in workers:
        worker.start()
    rates = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    domain.undefine()
    return {"per_second": sum(rates)}


def bulk(uri, xml, count):
    """Milliseconds of defining `count` domains (each), listing them and asking their statistics (all at once)."""
    conn = libvirt.open(uri)
    began = time.perf_counter()
    for number in range(count):
        conn.defineXML(xml.replace("<name>", f"<name>{number}-", 1))
    define = (time.perf_counter() - began) * 1000 / count
    lists, stats = [], []
    for _ in range(9):
        began = time.perf_counter()
        domains = conn.listAllDomains(0)
        lists.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        records = conn.getAllDomainStats()
        stats.append((time.perf_counter() - began) * 1000)
        assert len(domains) == len(records) == count
    for domain in domains:
        domain.undefine()
    return {"define_ms": define, "list_ms": statistics.median(lists), "stats_ms": statistics.median(stats)}


def native(uri, xml, rounds):
    """Milliseconds of domxml-to-native: a document parsed, completed and made a command line."""
    conn = libvirt.open(uri)
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        conn.domainXMLToNative("qemu-argv", xml, 0)
        times.append((time.perf_counter() - began) * 1000)
    return {"median_ms": statistics.median(times)}


def first_stats(uri):
    """Milliseconds of the first statistics over all domains, for which each definition has to be read."""
    conn = libvirt.open(uri)
    began = time.perf_counter()
    records = conn.getAllDomainStats()
    return {"ms": (time.perf_counter() - began) * 1000, "domains": len(records)}


def running(uri, xml, count):
    """Milliseconds of statistics over `count` running, paused guests, all groups."""
    conn = libvirt.open(uri)
    guests = []
    times = []
    try:
        for number in range(count):
            guests.append(conn.createXML(xml.replace("<name>", f"<name>{number}-", 1), libvirt.VIR_DOMAIN_START_PAUSED))
        for _ in range(9):
            began = time.perf_counter()
            records = conn.getAllDomainStats(0, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_PAUSED)
            times.append((time.perf_counter() - began) * 1000)
            assert len(records) == count
    finally:
        for guest in guests:
            guest.destroy()
    return {"median_ms": statistics.median(times)}


def device_of(kind, folder):
    """A device on USB, where no guest need agree to its going."""
    if kind == "mouse":
        return "<input type='mouse' bus='usb'/>"
    if kind == "card":
        return "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='usb-net'/><address type='usb' bus='0' port='2'/></interface>"
    image = os.path.join(folder, "plugged.img")
    with open(image, "wb") as file:
        file.truncate(1 << 20)
    # Guests run as another user than whoever measures.
    os.chmod(folder, 0o711)
    os.chmod(image, 0o666)
    return f"<disk type='file'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='sda' bus='usb'/></disk>"


def plug(uri, xml, rounds, kind, folder):
    """Milliseconds of plugging a device into a paused guest and out again."""
    conn = libvirt.open(uri)
    guest = conn.createXML(xml, libvirt.VIR_DOMAIN_START_PAUSED)
    device = device_of(kind, folder)
    times = []
    try:
        for _ in range(rounds):
            began = time.perf_counter()
            guest.attachDevice(device)
            guest.detachDevice(device)
            times.append((time.perf_counter() - began) * 1000)
    finally:
        guest.destroy()
    return {"median_ms": statistics.median(times)}


def migrate(uri, xml, rounds, destination, told):
    """Milliseconds of moving a guest to another daemon and back, and of its standstill; it is up once it writes to the file `told`."""
    here, there = libvirt.open(uri), libvirt.open(destination)
    guest = here.createXML(xml, 0)
    totals, downtimes = [], []
    try:
        while not os.path.exists(told) or os.path.getsize(told) == 0:
            time.sleep(0.05)
        for _ in range(rounds):
            began = time.perf_counter()
            guest = guest.migrate3(there, {libvirt.VIR_MIGRATE_PARAM_URI: "tcp://127.0.0.1"}, libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_UNSAFE)
            totals.append((time.perf_counter() - began) * 1000)
            downtimes.append(guest.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED).get("downtime", 0))
            here, there = there, here
    finally:
        guest.destroy()
    return {"total_ms": statistics.median(totals), "downtime_ms": statistics.median(downtimes)}


def main():
    workload, uri, path = sys.argv[1:4]
    number = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    xml = open(path).read()
    if workload == "start":
        result = start(uri, xml, number or 15)
    elif workload == "native":
        result = native(uri, xml, number or 50)
    elif workload.startswith("plug-"):
        result = plug(uri, xml, number or 50, workload.removeprefix("plug-"), os.path.dirname(path))
    elif workload == "first-stats":
        result = first_stats(uri)
    elif workload == "running":
        result = running(uri, xml, number or 100)
    elif workload == "migrate":
        result = migrate(uri, xml, number or 4, *sys.argv[5:7])
    elif workload == "bulk":
        result = bulk(uri, xml, number or 500)
    else:
        result = calls(uri, xml, number or 1, workload)
    print(json.dumps(result))


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    main()
