"""Reads what the GPU compilers made, for gpu_static.sh: prints the table and ends with 1 where a kernel fails.

    gpu_listing.py FOLDER TARGET...

FOLDER holds `launches` and `legend` of kernel_plans, and programs/N-TARGET.s with the logs and disassemblies beside it.
"""

import pathlib
import re
import sys
from dataclasses import dataclass

# Of an NVIDIA multiprocessor (CUDA C programming guide, table of compute capabilities): 64 warps, 65,536 registers given
# out in 256s a warp, 32 groups, and shared memory in bytes.
WARPS, REGISTERS, REGISTER_UNIT, GROUPS = 64, 65536, 256, 32
SHARED_BYTES = {"sm_80": 164 << 10, "sm_90": 228 << 10}
RESERVED_SHARED_BYTES = 1024  # a group
LOOP_TURNS = 8  # assumed of every loop
# Waves that a SIMD of an AMD compute unit holds at most.
WAVES = {"gfx90a": 8, "gfx1100": 16}


@dataclass
class Dialect:
    """How a kind of assembly text is read."""

    instruction: re.Pattern  # group 1 is the opcode
    label: re.Pattern  # begins a block
    branch: re.Pattern  # an opcode that ends a block
    passed_over: re.Pattern  # opcodes that are no work: waits and hints
    fma: re.Pattern
    local_load: re.Pattern
    wide_load: re.Pattern  # those of 16 bytes
    call: re.Pattern  # a call that was left over


AMD = Dialect(
    instruction=re.compile(r"^\t([a-z]+_\w+)"),
    label=re.compile(r"^\.?\w+:"),
    branch=re.compile(r"^s_(c?branch|endpgm|setpc)"),
    passed_over=re.compile(r"^s_(waitcnt|nop|delay_alu|clause|set_inst_prefetch)"),
    fma=re.compile(r"\bv_(pk_|dual_)?(fma|fmac)\w*_f32"),
    local_load=re.compile(r"^ds_(read|load)"),
    wide_load=re.compile(r"^ds_(read|load)_b128"),
    call=re.compile(r"^s_swappc"),
)
PTX = Dialect(
    instruction=re.compile(r"^\t(?:@!?%p\d+ )?\t?([a-z]\w*[\w.:]*)"),
    label=re.compile(r"^\$?\w+:"),
    branch=re.compile(r"^(bra|ret|exit)"),
    passed_over=re.compile(r"^mov"),  # names only; the machine's code has few
    fma=re.compile(r"^fma\.rn\.f32"),
    local_load=re.compile(r"^ld\.shared"),
    wide_load=re.compile(r"^ld\.shared\.v4"),
    call=re.compile(r"^call"),
)
SASS = Dialect(
    instruction=re.compile(r"^\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\d+ )?\s*([A-Z]\w*[\w.]*)"),
    label=re.compile(r"^\.L_x_\d+:"),
    branch=re.compile(r"^(BRA|EXIT|RET)"),
    passed_over=re.compile(r"^NOP"),
    fma=re.compile(r"^FFMA"),
    local_load=re.compile(r"^LDS"),
    wide_load=re.compile(r"^LDS(\.U)?\.128"),
    call=re.compile(r"^never$"),  # division calls a part of its own kernel
)


@dataclass
class Facts:
    """What is known of a kernel on a target; None is unknown."""

    registers: int | None = None
    spills: int | None = None
    scratch_bytes: int | None = None
    local_bytes: int | None = None
    occupancy: float | None = None
    fma_share: float = 0.0
    n_fma: int = 0
    local_loads: int = 0
    wide_loads: int = 0
    calls: int = 0
    refused: str = ""  # what the assembler said


def blocks(text, dialect):
    """The straight runs of instructions as lists of (opcode, whole line), each with the number of loops around it: a
    branch back to a label makes a loop of all that lies between."""
    runs, run, first_run_of, loops = [], [], {}, []
    for line in text.splitlines():
        label = dialect.label.match(line)
        if label:
            runs.append(run)
            run = []
            first_run_of[label[0].rstrip(":")] = len(runs)
        found = dialect.instruction.match(line)
        if not found:
            continue
        if not dialect.passed_over.match(found[1]):
            run.append((found[1], line))
        if dialect.branch.match(found[1]):
            loops += [(first_run_of[name], len(runs)) for name in re.findall(r"[.$]?\w+", line) if name in first_run_of]
            runs.append(run)
            run = []
    runs.append(run)
    return [(run, sum(first <= i <= last for first, last in set(loops))) for i, run in enumerate(runs)]


def count_instructions(facts, text, dialect):
    """The hottest block has the most fma, counting LOOP_TURNS turns of each loop around it: the body of the inner loop,
    or of the one around it where the compiler has unrolled the inner one."""
    hottest, n_fma, most = [], 0, 0
    for run, depth in blocks(text, dialect):
        facts.calls += sum(bool(dialect.call.match(opcode)) for opcode, _ in run)
        n = sum(len(dialect.fma.findall(line.strip() if dialect is AMD else opcode)) for opcode, line in run)
        if n * LOOP_TURNS**depth > most:
            hottest, n_fma, most = run, n, n * LOOP_TURNS**depth
    # Two operations may share an instruction (v_dual_...): each counts.
    n_operations = sum(1 + line.count(" :: ") for _, line in hottest)
    facts.n_fma = n_fma
    facts.fma_share = n_fma / n_operations if n_operations else 0.0
    facts.local_loads = sum(bool(dialect.local_load.match(opcode)) for opcode, _ in hottest)
    facts.wide_loads = sum(bool(dialect.wide_load.match(opcode)) for opcode, _ in hottest)


def number(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    return int(found[1]) if found else 0


def amd_facts(base, kernel, target):
    text = base.with_suffix(".s").read_text()
    body = text[text.index(f"\n{kernel}:") :]
    end = body.index(f".size\t{kernel}")
    # The figures of a kernel stand in comments behind it, the spills in the notes at the end.
    figures = body[end : body.index("; Occupancy:", end) + 40]
    notes = text[text.index(".amdgpu_metadata") :]
    note = next(n for n in re.split(r"\n  - ", notes) if re.search(rf"\.name:\s+{kernel}\n", n))
    facts = Facts(
        registers=max(number(r"^; NumVgprs: (\d+)", figures), number(r"^; TotalNumVgprs: (\d+)", figures)),
        spills=number(r"\.vgpr_spill_count:\s*(\d+)", note),
        scratch_bytes=number(r"^; ScratchSize: (\d+)", figures),
        local_bytes=number(r"^; LDSByteSize: (\d+)", figures),
        occupancy=number(r"^; Occupancy: (\d+)", figures) / WAVES[target],
    )
    count_instructions(facts, body[:end], AMD)
    return facts


def nvidia_occupancy(architecture, registers, local_bytes, items):
    warps = -(-items // 32)
    registers_a_warp = -(-registers * 32 // REGISTER_UNIT) * REGISTER_UNIT
    groups = min(GROUPS, WARPS // warps, REGISTERS // (registers_a_warp * warps))
    groups = min(groups, SHARED_BYTES[architecture] // (local_bytes + RESERVED_SHARED_BYTES))
    return groups * warps / WARPS


def ptx_body(text, kernel):
    body = text[text.index(f".entry {kernel}(") :]
    following = body.find(".entry ", 7)
    return body[:following] if following > 0 else body


def nvptx_facts(base, kernel):
    body = ptx_body(base.with_suffix(".s").read_text(), kernel)
    facts = Facts(scratch_bytes=number(r"\.local .*depot\d+\[(\d+)\]", body))
    count_instructions(facts, body, PTX)
    return facts


def sm_facts(base, kernel, architecture, items):
    """None where ptxas was not there."""
    log = base.with_name(f"{base.name}.{architecture}.log")
    sass = base.with_name(f"{base.name}.{architecture}.sass")
    if not log.exists():
        return None
    part = log.read_text()
    if f"'{kernel}'" not in part:
        return Facts(refused=part.strip())
    part = part[part.index(f"'{kernel}'") :]
    part = part[: part.index("Compile time") if "Compile time" in part else None]
    facts = Facts(
        registers=number(r"Used (\d+) registers", part),
        spills=number(r"(\d+) bytes spill stores", part) // 4,
        scratch_bytes=number(r"(\d+) bytes stack frame", part),
        local_bytes=number(r"(\d+) bytes smem", part),
    )
    facts.occupancy = nvidia_occupancy(architecture, facts.registers, facts.local_bytes, items)
    if sass.exists():
        text = sass.read_text()
        body = text[text.index(f"\n.text.{kernel}:") :]
        following = body.find("\n.text.", 1)
        count_instructions(facts, body[:following] if following > 0 else body, SASS)
    else:
        count_instructions(facts, ptx_body(base.with_suffix(".s").read_text(), kernel), PTX)
    return facts


def shown(value):
    return "-" if value is None else f"{value:.0%}" if isinstance(value, float) else str(value)


def problems_of(facts):
    found = []
    if facts.spills:
        found.append(f"{facts.spills} registers are spilled")
    if facts.scratch_bytes:
        found.append(f"{facts.scratch_bytes} bytes of scratch")
    if facts.calls:
        found.append(f"{facts.calls} calls are left over")
    if facts.refused:
        found.append(f"not assembled: {facts.refused}")
    return found


def facts_of(base, kernel, target, items):
    """The rows of a kernel on a target: (name of the row, facts)."""
    if target != "nvptx64":
        return [(target, amd_facts(base, kernel, target))]
    machines = [(architecture, sm_facts(base, kernel, architecture, items)) for architecture in SHARED_BYTES]
    compiled = [(name, facts) for name, facts in machines if facts]
    general = nvptx_facts(base, kernel)
    for _, facts in compiled:
        facts.calls = general.calls
    return compiled or [(target, general)]


def main(folder, targets):
    launches = [line.split("\t") for line in (folder / "launches").read_text().splitlines()]
    shown_labels = {launch[0] for launch in launches}
    for line in (folder / "legend").read_text().splitlines():
        if line.split("\t")[0] in shown_labels:
            print(line.replace("\t", ": "))
    print()
    form = "{:<14} {:<18} {:>5} {:<8} {:>9} {:>6} {:>7} {:>6} {:>9} {:>9} {:>12}"
    print(form.format("kernel", "plan", "items", "target", "registers", "spills", "scratch", "local", "occupancy",
                      "fma share", "16-byte loads"))  # fmt: skip
    failures = 0
    for label, kernel, items, program, _ in launches:
        for target in targets:
            base = folder / "programs" / f"{program}-{target}"
            errors = base.with_suffix(".errors").read_text()
            if errors:
                failures += 1
                print(f"FAILED: {kernel} of {label} does not compile for {target}: {errors}")
                continue
            for name, facts in facts_of(base, kernel, target, int(items)):
                wide = f"{facts.wide_loads} of {facts.local_loads}" if facts.local_loads else "-"
                share = f"{facts.fma_share:.0%}" if facts.n_fma else "-"
                print(form.format(kernel, label, items, name, shown(facts.registers), shown(facts.spills),
                                  shown(facts.scratch_bytes), shown(facts.local_bytes), shown(facts.occupancy), share,
                                  wide))  # fmt: skip
                for problem in problems_of(facts):
                    failures += 1
                    print(f"FAILED: {kernel} of {label} on {name}: {problem}")
    if failures:
        print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2:]))
