package org.cellkeeper.cell.sim;

import java.util.Arrays;

/** The world's only queue: by time, and by order of arrival within one instant. A plain binary heap, for speed. */
final class EventQueue {
    /** Something that will happen, at most once; it dies with its owner and waits while its owner is paused. */
    record Event(long time, long sequence, SimProcess owner, Runnable task) {
        boolean before(Event other) {
            return time < other.time || (time == other.time && sequence < other.sequence);
        }
    }

    private Event[] heap = new Event[256];
    private int size;
    private long sequence;

    void add(long time, SimProcess owner, Runnable task) {
        if (size == heap.length) {
            heap = Arrays.copyOf(heap, size * 2);
        }
        Event event = new Event(time, sequence++, owner, task);
        int hole = size++;
        while (hole > 0) {
            int parent = (hole - 1) >>> 1;
            if (!event.before(heap[parent])) {
                break;
            }
            heap[hole] = heap[parent];
            hole = parent;
        }
        heap[hole] = event;
    }

    boolean isEmpty() {
        return size == 0;
    }

    int size() {
        return size;
    }

    long nextTime() {
        return heap[0].time;
    }

    Event poll() {
        Event first = heap[0];
        Event last = heap[--size];
        heap[size] = null;
        if (size > 0) {
            int hole = 0;
            while (true) {
                int child = 2 * hole + 1;
                if (child >= size) {
                    break;
                }
                if (child + 1 < size && heap[child + 1].before(heap[child])) {
                    child++;
                }
                if (!heap[child].before(last)) {
                    break;
                }
                heap[hole] = heap[child];
                hole = child;
            }
            heap[hole] = last;
        }
        return first;
    }
}
