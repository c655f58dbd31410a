// How a call ends. Those who call turn each into a typed error with a sentence.
#pragma once

enum status {
    DONE = 0,
    NO_MEMORY = 1,
    NOT_WORDS = 2,       // the coded bytes are not whole 32-bit words
    DAMAGED = 3,         // no encoder could have written this
    TOO_MANY = 4,        // more symbols than the coded bytes can hold
    ESCAPE_RANGE = 5,    // an escaped symbol is out of range
    HYPER_RANGE = 6,     // |z| > 31
    NOT_ENDED = 7,       // the symbols do not end with the data
    WRONG_CHECKSUM = 8,  // other symbols than were written
    PLANE_DAMAGED = 9,
    PLANE_SHORT = 10,
    PLANE_LONG = 11,
    BAD_MODEL = 12,
};
