"""Columns of a plan's tables: what `encoding` writes and the compiled executor reads.

Every cell is an int64. `address` means bytes from the start of the plan's constants; `place` means
bytes from the start of the working memory. Strides are in bytes. A *row table* is an int32 for
every row of the unit.
"""

TILE = 320
"""Most lanes that are computed together; their sums stay in vector registers."""
GROUP = 32
"""Lanes are padded to a multiple of this within a unit."""

# A unit: rows x lanes, computed for every step.
(
    U_ROWS,
    U_LANES,
    U_TILE,
    U_BLOCK,
    U_CONSTANT,
    U_PART,
    U_PARTS,
    U_OP,
    U_OPS,
    U_LOOP,  # units of a loop, on its first one; INSIDE on its others; 0 outside of loops
    U_SIZE,
) = range(11)
INSIDE = -1
"""A loop's units run one after another at every step, before any of them at the next."""

# A part: one projection's sum. Taps are int32 pairs (source row or pixel, weight row), -1: none.
EVENTS = 0  # weight rows of the active inputs of the tapped source rows
PLANE = 1  # the same, of the pixels that have one bit set
MASKED = 2  # one weight a tap, for the lanes of the tapped row that spike
MASKED_LANES = 3  # the same with a weight of its own for every lane
(
    P_KIND,
    P_SOURCE,  # place of the source's bits
    P_STEP,  # stride of its steps
    P_ROW,  # stride of its rows
    P_WORDS,  # 64-bit words of a row; of PLANE: 1 where weight rows follow each other, or IN_A_ROW
    P_TAPS,  # address
    P_TAP_COUNT,  # taps of a row
    P_WEIGHTS,  # address
    P_WEIGHT_STEP,  # stride between the steps' weights, 0 when they share them
    P_INPUTS,  # weight rows of a tile
    P_PLANE,  # which bit of a pixel
    P_WIDE,  # 1: weights and sums are int32, 0: int8 and int16
    P_MADE,  # 1: the weights are rows in the working memory, which the program has made
    P_SIZE,
) = range(14)

IN_A_ROW = 2
"""The pixels follow each other, too, and none is missing: 64 are read at once."""

# An op: what happens to a unit's registers at every step.
PROJECT = 0  # dst (+)= part << shift
LOAD = 1  # dst (+)= stored current << shift
SUM = 2  # dst (+)= register << shift
SCALE = 3  # dst = gain(dst)
STORE = 4  # stored current = dst
FIRE = 5  # the population takes dst
EVOLVE = 6  # neurons of several states take dst; what never fires leaves its form there
HOLD = 7  # a delay gives what it has read so many steps before
KEEP = 8  # what a delay has read last stays for the next call
WIDEN = 9  # wide sum (+)= register 0 through a linear system of 64 bits
FIRE_WIDE = 10  # the population takes the wide sum
MASK = 11  # dst = dst where spikes let it pass, else 0
O_KIND, O_DST, O_WHAT, O_SHIFT, O_ADD, O_PARTS, O_SIZE = range(7)
REGISTERS = 6
WIDE_SUM = 1
"""The first of two registers in which a sum of 64 bits lies, one step behind the other."""

# An access: where a stored current lies.
A_PLACE, A_STEP, A_ROWS, A_LANE, A_BYTES, A_SIZE = range(6)

# A gain: mantissas of G_BYTES each; bits from G_LOW to G_HIGH are in use, the last is the sign.
G_TABLE, G_STEP, G_ROWS, G_BYTES, G_LOW, G_HIGH, G_SHIFT, G_SIZE = range(8)

# A constant of a population: int32, over steps, rows and lanes or some of them.
C_ADDRESS, C_STEP, C_ROW, C_LANES, C_SIZE = range(5)

# A population.
(
    N_CONSTANTS,  # first of four: threshold, bias, offset, polarity
    N_POLAR,  # 1 when polarity is not 1 everywhere
    N_BY_ROW,  # 1 when a constant differs from row to row
    N_BY_STEP,  # 1 when a constant differs from step to step
    N_SHIFT,  # of the leak
    N_DIGITS,  # address of the leak's signed digits, int8
    N_POWERS,  # how many
    N_LEAK_OFFSET,
    N_SOFT,
    N_STRICT,
    N_TOWARD_ZERO,
    N_USUAL,  # 1: spikes at >=, resets to 0, decays by a shift alone
    N_SPIKES,  # place of the spikes' bits
    N_SPIKES_STEP,
    N_SPIKES_ROW,
    N_RECORD,  # place of recorded membranes, int32, or -1
    N_RECORD_STEP,
    N_RECORD_ROW,
    N_STATE,  # place of the membranes between calls, int32, or -1
    N_STATE_ROW,
    N_COUNT,  # which spike count
    N_SIZE,
) = range(22)

# Neurons of several states. Numbers are int32, or int64 where they are wide.
(
    Q_STATES,  # how many
    Q_STATE,  # first of them
    Q_FORM,  # first term of what is compared, or given
    Q_FORMS,  # how many
    Q_THRESHOLD,  # a constant, or -1: they never fire
    Q_UP,  # 1: sums are rounded up and what fires is above the threshold
    Q_REMEMBERS,  # 1: a spike acts at the next step
    Q_WIDE,
    Q_SPIKES,
    Q_SPIKES_STEP,
    Q_SPIKES_ROW,
    Q_RECORD,  # place of recorded membranes, or -1
    Q_RECORD_STEP,
    Q_RECORD_ROW,
    Q_RECORD_BYTES,
    Q_KEPT,  # place of the states between calls, or -1
    Q_KEPT_SLOT,
    Q_KEPT_ROW,
    Q_SIZE,
) = range(19)

# A state of them. Constants that it has not are -1.
(
    S_LEVEL,  # first term of its sum
    S_LEVELS,  # how many
    S_SHIFT,
    S_CARRY,
    S_BIAS,
    S_LATE,
    S_SWALLOW,
    S_FLOOR,
    S_RESET,  # first term of what a spike leaves
    S_RESETS,  # how many, or -1: a spike does not change it
    S_RESET_SHIFT,
    S_AMOUNT,
    S_LOW,
    S_START,
    S_SIZE,
) = range(15)

# A term: a slot times a constant. Slot 0 is the current, then come the new states, then the old.
(
    T_SLOT,
    T_DIGITS,  # address of the constant's powers of two, each with its sign, int8; or of a table
    T_COUNT,  # how many; -1: the table has an int32 for every lane
    T_ROW,  # of a table: stride of rows
    T_LOW,  # lowest bit in use
    T_HIGH,  # the sign
    T_SIZE,
) = range(7)

# A delay: rows of bits, or stored currents, of one step are D_BYTES; a past is one step of them
# behind the other.
(
    D_STEPS,
    D_BYTES,
    D_SOURCE,  # place of what is read
    D_SOURCE_STEP,
    D_TARGET,  # place of what it gives
    D_TARGET_STEP,
    D_START,  # address of one step of what stands before the first
    D_PAST,  # place of what stays between calls, or -1
    D_SIZE,
) = range(9)

# A linear system of a wide sum: no state (a gain), one, or three, of which two turn: see WIDEN.
# Each coefficient is an address, how many terms it has, and the stride of its rows.
(
    L_STATES,
    L_P,  # of a state itself
    L_P_COUNT,
    L_P_ROW,
    L_Q,  # of the other state
    L_Q_COUNT,
    L_Q_ROW,
    L_C,  # what is given of the first state; of no state, of what is read
    L_C_COUNT,
    L_C_ROW,
    L_D,  # of the second
    L_D_COUNT,
    L_D_ROW,
    L_X,  # a constant, which is added before the first state is rounded
    L_Y,  # likewise, of the second
    L_F,  # likewise, of what is given
    L_GAIN,  # what is read is shifted left by this
    L_SHIFT,  # states are shifted right by this; of no state, what is given
    L_POST,  # what is given is shifted left by this
    L_KEPT,  # place of the states between calls, or -1
    L_KEPT_SLOT,
    L_KEPT_ROW,
    L_SIZE,
) = range(23)
OCTET = 8
"""Lanes of a linear system that are computed together. A term of their coefficients is 8 powers of
two and 8 signs, int8: -1 takes the complement, and what that lacks stands in the constants."""
TERM = 2 * OCTET

# A mask: bits that let numbers pass.
M_PLACE, M_STEP, M_ROW, M_INVERTED, M_SIZE = range(5)
