package org.cellkeeper.cell.sim;

import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Copies of the core's records in which one component is another. */
public final class Records {
    private Records() {}

    /** @param component of a component, and so on, with dots between their names */
    @SuppressWarnings("unchecked")
    public static <R extends Record> R with(R old, String component, @Nullable Object value) {
        int dot = component.indexOf('.');
        String name = dot < 0 ? component : component.substring(0, dot);
        RecordComponent[] components = old.getClass().getRecordComponents();
        Object[] values = new Object[components.length];
        boolean known = false;
        try {
            for (int i = 0; i < components.length; i++) {
                boolean changed = components[i].getName().equals(name);
                known |= changed;
                Object before = components[i].getAccessor().invoke(old);
                values[i] = !changed
                        ? before
                        : dot < 0 ? value : with((Record) before, component.substring(dot + 1), value);
            }
            if (!known) {
                throw new IllegalArgumentException(old.getClass() + " has no " + name);
            }
            Class<?>[] types =
                    Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
            return (R) old.getClass().getDeclaredConstructor(types).newInstance(values);
        } catch (ReflectiveOperationException broken) {
            throw new IllegalStateException(broken);
        }
    }

    /** {@code now}, but with the old values of all that was changed from {@code old} to {@code changed} and has stayed so. */
    static <R extends Record> R undone(R now, R changed, R old) {
        R result = now;
        try {
            for (RecordComponent component : now.getClass().getRecordComponents()) {
                Object then = component.getAccessor().invoke(changed);
                Object before = component.getAccessor().invoke(old);
                boolean stayed = Objects.equals(component.getAccessor().invoke(now), then);
                if (stayed && !Objects.equals(then, before)) {
                    result = with(result, component.getName(), before);
                }
            }
            return result;
        } catch (ReflectiveOperationException broken) {
            throw new IllegalStateException(broken);
        }
    }
}
