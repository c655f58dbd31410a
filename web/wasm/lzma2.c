// LZMA2, after the description of LZMA in the "LZMA specification" of 7-Zip and of LZMA2's chunks in the .xz format.
// The output is the dictionary: distances reach back in it, at most DICTIONARY bytes.
#include "lzma2.h"
#include "status.h"

#define DICTIONARY ((size_t)1 << 20)

enum { STATES = 12, POSITIONS = 16, LITERAL_STATES = 7 };
enum { LOW_LENGTHS = 8, MIDDLE_LENGTHS = 8, HIGH_LENGTHS = 256, SHORTEST = 2 };
enum { LENGTH_CLASSES = 4, SLOTS = 64, FIRST_CODED_SLOT = 4, FIRST_DIRECT_SLOT = 14, NEAR_DISTANCES = 128, ALIGN_BITS = 4 };
enum { MOST_LITERAL_BITS = 4, LITERAL_MODELS = 0x300 };

typedef uint16_t Chance;  // of a zero, out of 2^11
#define EVEN 1024

typedef struct {
    Chance choice, second_choice;
    Chance low[POSITIONS][LOW_LENGTHS], middle[POSITIONS][MIDDLE_LENGTHS], high[HIGH_LENGTHS];
} Lengths;

// Everything that is learned; a reset of the state makes all of it even.
typedef struct {
    Chance is_match[STATES][POSITIONS], is_repeat[STATES], is_repeat_1[STATES], is_repeat_2[STATES], is_repeat_3[STATES];
    Chance is_long_repeat[STATES][POSITIONS];
    Chance slot[LENGTH_CLASSES][SLOTS], near[NEAR_DISTANCES], align[1 << ALIGN_BITS];
    Lengths lengths, repeat_lengths;
    Chance literal[LITERAL_MODELS << MOST_LITERAL_BITS];
} Learned;

typedef struct {
    const uint8_t *in, *end;
    uint32_t range, code;
    int short_of_input;
    uint8_t *out;
    size_t at, from;  // where the next byte goes, and where the dictionary begins
    unsigned literal_context_bits, literal_position_bits, position_bits;
    unsigned state;
    size_t distance[4];  // less one, the latest first
    Learned learned;
} Decoder;

static Decoder decoder;  // one stream at a time

static void normalise(Decoder *d) {
    if (d->range >> 24) return;
    d->range <<= 8;
    if (d->in == d->end) {
        d->short_of_input = 1;
        d->code <<= 8;
    } else {
        d->code = d->code << 8 | *d->in++;
    }
}

static unsigned bit(Decoder *d, Chance *chance) {
    normalise(d);
    uint32_t bound = (d->range >> 11) * *chance;
    if (d->code < bound) {
        d->range = bound;
        *chance += (2048 - *chance) >> 5;
        return 0;
    }
    d->range -= bound;
    d->code -= bound;
    *chance -= *chance >> 5;
    return 1;
}

static unsigned tree(Decoder *d, Chance *chances, unsigned bits) {
    unsigned node = 1;
    for (unsigned i = 0; i < bits; i++) node = node << 1 | bit(d, chances + node);
    return node - (1u << bits);
}

static unsigned reversed_tree(Decoder *d, Chance *chances, unsigned bits) {
    unsigned node = 1, value = 0;
    for (unsigned i = 0; i < bits; i++) {
        unsigned next = bit(d, chances + node);
        node = node << 1 | next;
        value |= next << i;
    }
    return value;
}

static unsigned direct(Decoder *d, unsigned bits) {
    unsigned value = 0;
    while (bits--) {
        normalise(d);
        d->range >>= 1;
        unsigned one = d->code >= d->range;
        if (one) d->code -= d->range;
        value = value << 1 | one;
    }
    return value;
}

static unsigned length(Decoder *d, Lengths *chances, unsigned position) {
    if (!bit(d, &chances->choice)) return SHORTEST + tree(d, chances->low[position], 3);
    if (!bit(d, &chances->second_choice)) return SHORTEST + LOW_LENGTHS + tree(d, chances->middle[position], 3);
    return SHORTEST + LOW_LENGTHS + MIDDLE_LENGTHS + tree(d, chances->high, 8);
}

static size_t distance(Decoder *d, unsigned match_length) {
    unsigned class = match_length - SHORTEST < LENGTH_CLASSES ? match_length - SHORTEST : LENGTH_CLASSES - 1;
    unsigned slot = tree(d, d->learned.slot[class], 6);
    if (slot < FIRST_CODED_SLOT) return slot;
    unsigned bits = (slot >> 1) - 1;
    size_t base = (size_t)(2 | (slot & 1)) << bits;
    if (slot < FIRST_DIRECT_SLOT) return base + reversed_tree(d, d->learned.near + (base - slot), bits);
    base += (size_t)direct(d, bits - ALIGN_BITS) << ALIGN_BITS;
    return base + reversed_tree(d, d->learned.align, ALIGN_BITS);
}

// Whether the dictionary has a byte so far back.
static int reaches(const Decoder *d, size_t back) {
    return back < d->at - d->from && back < DICTIONARY;
}

static void literal(Decoder *d) {
    unsigned before = d->at > d->from ? d->out[d->at - 1] : 0;
    unsigned low = (unsigned)(d->at - d->from) & ((1u << d->literal_position_bits) - 1);
    unsigned context = (low << d->literal_context_bits) + (before >> (8 - d->literal_context_bits));
    Chance *chances = d->learned.literal + LITERAL_MODELS * context;
    unsigned symbol = 1;
    if (d->state >= LITERAL_STATES) {
        // After a match, the byte there would have been tells which chances to use as long as it agrees.
        unsigned there = d->out[d->at - d->distance[0] - 1], agrees = 1;
        while (symbol < 0x100 && agrees) {
            unsigned expected = there >> 7 & 1;
            there <<= 1;
            unsigned next = bit(d, chances + ((1 + expected) << 8) + symbol);
            symbol = symbol << 1 | next;
            agrees = next == expected;
        }
    }
    while (symbol < 0x100) symbol = symbol << 1 | bit(d, chances + symbol);
    d->out[d->at++] = (uint8_t)symbol;
    d->state = d->state < 4 ? 0 : d->state < 10 ? d->state - 3 : d->state - 6;
}

static void move_to_front(Decoder *d, int which) {
    size_t chosen = d->distance[which];
    for (; which; which--) d->distance[which] = d->distance[which - 1];
    d->distance[0] = chosen;
}

// A match: its distance becomes the latest. Returns how many bytes it has.
static unsigned match(Decoder *d, unsigned position) {
    Learned *learned = &d->learned;
    unsigned state = d->state, after_literal = state < LITERAL_STATES;
    if (!bit(d, &learned->is_repeat[state])) {
        unsigned count = length(d, &learned->lengths, position);
        move_to_front(d, 3);
        d->distance[0] = distance(d, count);
        d->state = after_literal ? 7 : 10;
        return count;
    }
    if (!bit(d, &learned->is_repeat_1[state])) {
        if (!bit(d, &learned->is_long_repeat[state][position])) {
            d->state = after_literal ? 9 : 11;
            return 1;
        }
    } else if (!bit(d, &learned->is_repeat_2[state])) {
        move_to_front(d, 1);
    } else {
        move_to_front(d, 2 + bit(d, &learned->is_repeat_3[state]));
    }
    d->state = after_literal ? 8 : 11;
    return length(d, &learned->repeat_lengths, position);
}

// A compressed chunk: the output up to `end`. A match across it is damage: chunks end with a symbol.
static int compressed(Decoder *d, size_t end) {
    if (*d->in) return PLANE_DAMAGED;
    d->range = 0xFFFFFFFF;
    d->code = (uint32_t)d->in[1] << 24 | (uint32_t)d->in[2] << 16 | (uint32_t)d->in[3] << 8 | d->in[4];
    d->in += 5;
    while (d->at < end) {
        unsigned position = (unsigned)(d->at - d->from) & ((1u << d->position_bits) - 1);
        if (!bit(d, &d->learned.is_match[d->state][position])) {
            if (d->state >= LITERAL_STATES && !reaches(d, d->distance[0])) return PLANE_DAMAGED;
            literal(d);
        } else {
            unsigned count = match(d, position);
            if (!reaches(d, d->distance[0]) || count > end - d->at) return PLANE_DAMAGED;
            for (const uint8_t *from = d->out + d->at - d->distance[0] - 1; count; count--) d->out[d->at++] = *from++;
        }
        if (d->short_of_input) return PLANE_DAMAGED;
    }
    normalise(d);
    return d->short_of_input || d->in != d->end || d->code ? PLANE_DAMAGED : DONE;
}

static void reset_state(Decoder *d) {
    Chance *chances = (Chance *)&d->learned;
    for (size_t i = 0; i < sizeof d->learned / sizeof *chances; i++) chances[i] = EVEN;
    for (int i = 0; i < 4; i++) d->distance[i] = 0;
    d->state = 0;
}

static int set_properties(Decoder *d, unsigned properties) {
    if (properties >= 9 * 5 * 5) return 0;
    d->literal_context_bits = properties % 9;
    d->literal_position_bits = properties / 9 % 5;
    d->position_bits = properties / 45;
    return d->literal_context_bits + d->literal_position_bits <= MOST_LITERAL_BITS;
}

static unsigned sixteen_bits(const uint8_t *at) {
    return (unsigned)at[0] << 8 | at[1];
}

// What the first byte of a chunk says: 0 the end, 1 and 2 bytes as they are, the first with a new dictionary, 128 and more
// compressed ones, with what they reset in bits 5 and 6, and the highest bits of their number below.
enum { END = 0, PLAIN_ANEW = 1, PLAIN = 2, COMPRESSED = 0x80 };
enum { SAME = 0, RESET_STATE = 1, NEW_PROPERTIES = 2, NEW_DICTIONARY = 3 };

int lzma2_decompress(const uint8_t *data, size_t size, uint8_t *out, size_t whole) {
    Decoder *d = &decoder;
    const uint8_t *in = data, *end = data + size;
    int has_dictionary = 0, has_properties = 0, has_state = 0;
    d->out = out;
    d->at = d->from = 0;
    d->short_of_input = 0;
    for (;;) {
        if (in == end) return PLANE_SHORT;
        unsigned control = *in++;
        if (control == END) return d->at < whole ? PLANE_SHORT : in < end ? PLANE_LONG : DONE;
        unsigned resets = control < COMPRESSED ? SAME : control >> 5 & 3;
        if (control == PLAIN_ANEW || resets == NEW_DICTIONARY) {
            d->from = d->at;
            has_dictionary = 1;
            has_properties = 0;
        }
        if (!has_dictionary || (control < COMPRESSED && control > PLAIN)) return PLANE_DAMAGED;

        size_t head = control < COMPRESSED ? 2 : resets >= NEW_PROPERTIES ? 5 : 4;
        if ((size_t)(end - in) < head) return PLANE_SHORT;
        size_t count = sixteen_bits(in) + 1;
        if (control < COMPRESSED) {
            in += head;
            if (count > whole - d->at) return PLANE_LONG;
            if ((size_t)(end - in) < count) return PLANE_SHORT;
            __builtin_memcpy(out + d->at, in, count);
            d->at += count;
            in += count;
            continue;
        }
        count += (size_t)(control & 31) << 16;
        size_t coded = sixteen_bits(in + 2) + 1;
        if (resets >= NEW_PROPERTIES) {
            if (!set_properties(d, in[4])) return PLANE_DAMAGED;
            has_properties = has_state = 1;
        } else if (resets == RESET_STATE) {
            has_state = 1;
        }
        if (!has_properties || !has_state || coded < 5) return PLANE_DAMAGED;
        if (resets != SAME) reset_state(d);
        in += head;
        if (count > whole - d->at) return PLANE_LONG;
        if ((size_t)(end - in) < coded) return PLANE_SHORT;
        d->in = in;
        d->end = in + coded;
        int status = compressed(d, d->at + count);
        if (status) return status;
        in += coded;
    }
}
