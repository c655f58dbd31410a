#include "symbols.h"

#include "status.h"

#define SLACK_BITS 64
#define ESCAPE_BITS 16

static uint16_t crc_table[256];

static void make_crc_table(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint16_t crc = (uint16_t)(byte << 8);
        for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
        crc_table[byte] = crc;
    }
}

static uint16_t crc_byte(uint16_t crc, uint8_t byte) { return (uint16_t)(crc << 8 ^ crc_table[crc >> 8 ^ byte]); }

static uint64_t next_word(Reader *reader) {
    uint32_t at = reader->read++;
    if (at >= reader->words) return 0;
    const uint8_t *b = reader->data + 4 * (uint64_t)at;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

int reader_begin(Reader *reader, const Tables *tables, const uint8_t *data, uint32_t size, uint32_t tile) {
    if (size % 4) return NOT_WORDS;
    if (!crc_table[1]) make_crc_table();
    *reader = (Reader){.tables = tables, .data = data, .words = size / 4, .range = ~0ull, .crc = (uint16_t)tile};
    reader->bits_left = 8.0 * size + SLACK_BITS;
    uint64_t high = next_word(reader);
    reader->offset = high << 32 | next_word(reader);
    return DONE;
}

// The number of units below `offset`, or TOTAL and more for damaged data.
static inline uint64_t target_of(Reader *reader, int precision) {
    reader->any = 1;
    return reader->offset / (reader->range >> precision);
}

static inline void step(Reader *reader, int precision, uint64_t left, uint64_t frequency) {
    uint64_t unit = reader->range >> precision;
    reader->offset -= unit * left;
    reader->range = unit * frequency;
    if (reader->range < 1ull << 32) {
        reader->offset = reader->offset << 32 | next_word(reader);
        reader->range <<= 32;
    }
}

static int read_group(Reader *reader, const Table *table, const uint32_t *order, uint32_t count, int16_t *symbols) {
    int32_t reach = table->reach, escape = 2 * reach + 1;
    uint32_t escapes = 0;
    const uint32_t *left = table->left;
    for (uint32_t k = 0; k < count; k++) {
        uint64_t target = target_of(reader, PRECISION);
        if (target >= TOTAL) return DAMAGED;
        uint32_t entry = table->start[target >> (PRECISION - 8)];
        while (left[entry + 1] <= target) entry++;
        step(reader, PRECISION, left[entry], left[entry + 1] - left[entry]);
        escapes += (int32_t)entry == escape;
        // An escape stands as reach + 1, which no symbol within the reach is, until its bits are read.
        symbols[order[k]] = (int16_t)((int32_t)entry - reach);
    }
    for (uint32_t k = 0; escapes; k++) {
        if (symbols[order[k]] != (int16_t)(reach + 1)) continue;
        escapes--;
        uint64_t target = target_of(reader, PRECISION);
        if (target >= TOTAL) return DAMAGED;
        uint32_t raw = (uint32_t)target >> (PRECISION - ESCAPE_BITS);
        step(reader, PRECISION, (uint64_t)raw << (PRECISION - ESCAPE_BITS), 1u << (PRECISION - ESCAPE_BITS));
        int32_t magnitude = reach + 1 + (int32_t)(raw >> 1), symbol = raw & 1 ? -magnitude : magnitude;
        if (symbol < -32768 || symbol > 32767) return ESCAPE_RANGE;
        symbols[order[k]] = (int16_t)symbol;
    }
    return DONE;
}

int reader_call(Reader *reader, uint32_t count, const uint8_t *indexes, int16_t *symbols, uint32_t *order) {
    const Tables *tables = reader->tables;
    uint32_t counts[MAX_TABLES] = {0}, begin[MAX_TABLES], place[MAX_TABLES];
    for (uint32_t k = 0; k < count; k++) counts[indexes[k]]++;
    uint32_t sum = 0;
    for (int t = 1; t < MAX_TABLES; t++) {
        begin[t] = place[t] = sum;
        sum += counts[t];
        if (!counts[t]) continue;
        if (t >= tables->count) return BAD_MODEL;
        reader->bits_left -= tables->table[t].least_bits * counts[t];
    }
    if (reader->bits_left < 0) return TOO_MANY;
    for (uint32_t k = 0; k < count; k++) {
        symbols[k] = 0;
        if (indexes[k]) order[place[indexes[k]]++] = k;
    }
    for (int t = 1; t < tables->count; t++) {
        if (!counts[t]) continue;
        int status = read_group(reader, &tables->table[t], order + begin[t], counts[t], symbols);
        if (status) return status;
    }
    uint16_t crc = reader->crc;
    for (uint32_t k = 0; k < count; k++) crc = crc_byte(crc_byte(crc, (uint8_t)symbols[k]), (uint8_t)(symbols[k] >> 8));
    reader->crc = crc;
    return DONE;
}

int reader_end(const Reader *reader, uint16_t crc) {
    if (reader->read < reader->words || (reader->any && reader->offset >= (1ull << 33) - 1)) return NOT_ENDED;
    return reader->crc == crc ? DONE : WRONG_CHECKSUM;
}
